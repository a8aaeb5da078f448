import * as z from "zod";
import {
  isAptPackage,
  isNpmPackage,
  isSkillName,
  PACKAGES_MAX,
  PORTS_MAX,
  RELAY_PORT,
  WORKER_PORT,
} from "../lane/index.ts";

/** Shapes of what lanes are made with: settings of lanes and workspaces, a repository's own file, setup. */

const iso = z.iso.datetime();
const nullable = <T extends z.ZodType>(schema: T) => schema.nullable();

export const driftPolicySchema = z.enum(["when-idle", "now", "hold"]);

export const workspaceSchema = z.object({
  id: z.string(),
  name: z.string(),
  path: z.string(),
  lanes: z.number().int(),
  /** What its lanes have unless they say otherwise themselves. */
  settings: z.record(z.string(), z.unknown()).optional(),
  createdAt: iso,
});

/** One thing that a repository's own file asks for beyond what was configured. */
const wideningSchema = z.object({ field: z.string(), was: nullable(z.string()), is: z.string() });

/** What a repository's own file asks a person for. */
const askedSchema = z.object({
  /** Of exactly this content, in this workspace. */
  sha256: z.string(),
  word: z.enum(["pending", "approved", "denied"]),
  fields: z.array(wideningSchema),
});

export const causeSchema = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });

/** How a lane's container is prepared, and the job that does it. */
export const laneSetupSchema = z.object({
  state: z.enum(["none", "pending", "running", "done", "failed", "skipped"]),
  job: nullable(z.string()),
});

/** The repository's own file: the commit it is from, why a newer one is not in force, what waits for a person. */
export const laneRepositorySchema = z.object({
  commit: nullable(z.string()),
  error: nullable(causeSchema),
  asked: nullable(askedSchema),
});

/** Ports of a container; those of the worker and its relay are not to be had. */
const portsSchema = z
  .array(
    z
      .number()
      .int()
      .min(1)
      .max(65_535)
      .refine((port) => port !== WORKER_PORT && port !== RELAY_PORT),
  )
  .max(PORTS_MAX);

/** What an image gets on top, by kind. */
const packagesSchema = z.strictObject({
  apt: z.array(z.string().refine(isAptPackage)).max(PACKAGES_MAX),
  npm: z.array(z.string().refine(isNpmPackage)).max(PACKAGES_MAX),
});

export const laneSettingsSchema = z.strictObject({
  image: z.string().min(1).nullable().optional(),
  agent: z.string().min(1).nullable().optional(),
  drift: driftPolicySchema.optional(),
  memoryBytes: z.number().int().positive().nullable().optional(),
  cpus: z.number().positive().nullable().optional(),
  pids: z.number().int().positive().nullable().optional(),
  env: z.record(z.string(), z.string()).optional(),
  skills: z
    .union([z.literal("all"), z.array(z.string().refine(isSkillName)).max(64)])
    .nullable()
    .optional(),
  base: z.string().min(1).max(255).nullable().optional(),
  ephemeral: z.boolean().optional(),
  onSuccess: z.enum(["import", "push"]).optional(),
  role: z.enum(["lane", "main"]).optional(),
  ports: portsSchema.nullable().optional(),
  packages: packagesSchema.nullable().optional(),
});

const commandsSchema = z
  .array(z.union([z.string().min(1).max(8192), z.array(z.string().max(8192)).min(1).max(256)]))
  .max(32);

/** What lanes of a workspace have unless they say otherwise; null: nothing is said. What is left out stays. */
const workspaceSettingsSchema = laneSettingsSchema
  .pick({
    image: true,
    agent: true,
    memoryBytes: true,
    cpus: true,
    pids: true,
    env: true,
    skills: true,
    base: true,
    ports: true,
    packages: true,
  })
  .extend({ setup: commandsSchema.nullable().optional(), teardown: commandsSchema.nullable().optional() })
  .strict();

export const patchWorkspaceSchema = z.strictObject({ settings: workspaceSettingsSchema });

/** A repository's own file as its base has it. */
export const repositorySchema = z.object({
  workspace: z.string(),
  /** Null: what the main work tree is on. */
  base: nullable(z.string()),
  commit: nullable(z.string()),
  /** Is there a file? */
  found: z.boolean(),
  error: nullable(causeSchema),
  /** What it says, by the keys of the file. */
  config: z.record(z.string(), z.unknown()),
  asked: nullable(askedSchema),
});

/** A person's word on exactly this content. */
export const approveSchema = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  word: z.enum(["approved", "denied"]),
  base: z.string().min(1).max(255).optional(),
});

/** A lane's settings in force, and who has said each: `lane`, `workspace`, `repository` or `installation`. */
export const laneConfigSchema = z.object({
  lane: z.string(),
  commit: nullable(z.string()),
  values: z.array(z.object({ key: z.string(), value: z.unknown(), origin: z.string() })),
});

export const setupLaneSchema = z.strictObject({ skip: z.boolean().optional() });

export type ApiWorkspace = z.infer<typeof workspaceSchema>;
export type PatchWorkspace = z.infer<typeof patchWorkspaceSchema>;
export type ApiRepository = z.infer<typeof repositorySchema>;
export type ApproveRepository = z.infer<typeof approveSchema>;
export type ApiLaneConfig = z.infer<typeof laneConfigSchema>;
export type SetupLane = z.infer<typeof setupLaneSchema>;
