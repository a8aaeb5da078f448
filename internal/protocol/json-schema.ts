import * as z from "zod";
import { AppError } from "../base/index.ts";
import * as api from "./api.ts";
import * as git from "./api-git.ts";
import * as inbox from "./api-inbox.ts";
import * as settings from "./api-settings.ts";
import * as upkeep from "./api-upkeep.ts";

/** A schema of this package whose parsed value is `T`. */
export type ApiSchema<T> = z.ZodType<T>;

/** JSON Schema 2020-12, as OpenAPI 3.1 embeds it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The shapes that get a name in the API's description. */
export const API_COMPONENTS = {
  Workspace: settings.workspaceSchema,
  Lane: api.laneSchema,
  Cause: settings.causeSchema,
  LaneSettings: settings.laneSettingsSchema,
  RemovedLane: upkeep.removedLaneSchema,
  PrunableLane: upkeep.prunableLaneSchema,
  PrunedImages: upkeep.prunedImagesSchema,
  LaneDisk: upkeep.laneDiskSchema,
  LaneLogs: api.laneLogsSchema,
  LaneContext: api.laneContextSchema,
  Plan: api.planSchema,
  PlanStep: api.planStepSchema,
  Drift: api.driftSchema,
  DriftField: api.driftFieldSchema,
  HistoryEntry: api.historyEntrySchema,
  ExecPlan: api.execPlanSchema,
  ExecRequest: api.execRequestSchema,
  Job: api.jobSchema,
  JobEvent: api.jobEventSchema,
  FeedEntry: api.feedEntrySchema,
  FeedGap: api.feedGapSchema,
  LaneDiff: git.laneDiffSchema,
  DiffFile: git.diffFileSchema,
  FileFlag: git.fileFlagSchema,
  LaneMerge: git.laneMergeSchema,
  MergeLane: git.mergeLaneSchema,
  InboxItem: inbox.inboxItemSchema,
  InboxPage: inbox.inboxPageSchema,
  Agent: api.agentSchema,
  AgentVersion: api.agentVersionSchema,
  Credential: api.credentialSchema,
  Status: api.statusSchema,
  Health: api.healthSchema,
  Readiness: api.readinessSchema,
  Shutdown: api.shutdownSchema,
  Problem: api.problemSchema,
  Repository: settings.repositorySchema,
  LaneConfig: settings.laneConfigSchema,
  AddWorkspace: api.addWorkspaceSchema,
  PatchWorkspace: settings.patchWorkspaceSchema,
  AddLane: api.addLaneSchema,
  PatchLane: api.patchLaneSchema,
  InstallAgent: api.installAgentSchema,
  UseAgent: api.useAgentSchema,
  SubmitJob: api.submitJobSchema,
} as const;

/**
 * The JSON Schema of one of our schemas. Named shapes become references to `#/components/schemas/<name>`;
 * with `inline` the outermost one is spelled out, for the components section itself.
 */
export function toJsonSchema(schema: z.ZodType, opts: { readonly inline?: boolean } = {}): JsonSchema {
  const plain = z.toJSONSchema(schema, {
    // Answers are read leniently (fields are only ever added), requests are strict: both as their input side says.
    io: "input",
    target: "draft-2020-12",
    override: ({ zodSchema, jsonSchema }) => {
      const at: unknown = zodSchema;
      if (at === schema && opts.inline) return;
      const name = nameOf(at);
      if (name === undefined) return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      jsonSchema.$ref = `#/components/schemas/${name}`;
    },
  });
  const { $schema: _, "~standard": __, ...rest } = plain as Record<string, unknown>;
  return simplify(rest) as JsonSchema;
}

function nameOf(schema: unknown): string | undefined {
  for (const [name, component] of Object.entries(API_COMPONENTS)) if (component === schema) return name;
  return undefined;
}

/** Drops what every date and integer repeats: the pattern beside a format, and the bounds of a safe integer. */
function simplify(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(simplify);
  if (typeof value !== "object" || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === "pattern" && "format" in value) continue;
    if (
      (key === "minimum" && item === Number.MIN_SAFE_INTEGER) ||
      (key === "maximum" && item === Number.MAX_SAFE_INTEGER)
    )
      continue;
    out[key] = simplify(item);
  }
  return out;
}

/**
 * Parses what a client sent. Unknown fields, wrong types and missing fields are named by JSON pointer.
 * @throws request.invalid
 */
export function parseWith<T>(schema: ApiSchema<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = flatten(parsed.error.issues).slice(0, 20);
  const first = issues[0];
  throw new AppError({
    code: "request.invalid",
    message: `${what} is not valid: ${first === undefined ? "unknown reason" : `${first.pointer || "/"}: ${first.message}`}`,
    hint: "see /openapi.json for the shape of this request",
    details: { issues },
  });
}

interface Issue {
  readonly pointer: string;
  readonly message: string;
}

function flatten(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[] = []): readonly Issue[] {
  return issues.flatMap((issue): readonly Issue[] => {
    const path = [...prefix, ...issue.path];
    // Of a union's branches the one that got furthest says most: it has the fewest complaints.
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      const best = [...issue.errors].sort((a, b) => a.length - b.length)[0];
      if (best !== undefined && best.length > 0) return flatten(best, path);
    }
    const pointer = path.map((key) => `/${String(key).replace(/~/g, "~0").replace(/\//g, "~1")}`).join("");
    return [{ pointer, message: issue.message }];
  });
}
