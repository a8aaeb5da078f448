import * as z from "zod";
import { LANE_SPEC_SCHEMA, type Lane, type LaneHistoryEntry, type LaneSettings, type LaneSpec } from "../lane/index.ts";
import { parseStored } from "./parse-stored.ts";

/** A row of `lanes`. */
export interface LaneRow {
  readonly id: string;
  readonly workspace: string;
  readonly name: string;
  readonly branch: string;
  readonly worktree: string;
  readonly desired: string;
  readonly settings: string;
  readonly generation: number;
  readonly created_at: number;
}

/** A row of `lane_history`. */
export interface HistoryRow {
  readonly seq: number;
  readonly at: number;
  readonly generation: number | null;
  readonly event: string;
  readonly from_state: string | null;
  readonly to_state: string | null;
  readonly cause: string | null;
}

/** As {@link Packages}; checked when they were given. */
export const storedPackages = z.object({ apt: z.array(z.string()), npm: z.array(z.string()) }).nullable();

const desired = z.enum(["up", "stopped", "gone"]);

// Settings written by an older build lack the fields that were added since; their default stands in.
const settings = z.looseObject({
  image: z.string().nullable().default(null),
  agent: z.string().nullable().default(null),
  drift: z.enum(["when-idle", "now", "hold"]).default("when-idle"),
  memoryBytes: z.number().nullable().default(null),
  cpus: z.number().nullable().default(null),
  pids: z.number().nullable().default(null),
  env: z.record(z.string(), z.string()).default({}),
  skills: z
    .union([z.literal("all"), z.array(z.string())])
    .nullable()
    .default(null),
  base: z.string().nullable().default(null),
  ephemeral: z.boolean().default(false),
  onSuccess: z.enum(["import", "push"]).default("import"),
  role: z.enum(["lane", "main"]).default("lane"),
  ports: z.array(z.number()).nullable().default(null),
  packages: storedPackages.default(null),
});

// Loose all the way down: a spec is handed on whole, whatever fields a build has added to it.
const mount = z.discriminatedUnion("kind", [
  z.looseObject({
    kind: z.literal("bind"),
    source: z.string(),
    target: z.string(),
    readOnly: z.boolean(),
    relabel: z.boolean(),
  }),
  z.looseObject({ kind: z.literal("volume"), source: z.string(), target: z.string(), readOnly: z.boolean() }),
]);
const spec = z.looseObject({
  schema: z.literal(LANE_SPEC_SCHEMA),
  image: z.looseObject({ id: z.string() }),
  worker: z.looseObject({
    entrypoint: z.array(z.string()),
    workdir: z.string(),
    init: z.boolean(),
    binaries: z.array(z.looseObject({ target: z.string(), hostPath: z.string(), sha256: z.string() })),
  }),
  mounts: z.array(mount),
  env: z.record(z.string(), z.string()),
  network: z.looseObject({
    name: z.string(),
    isolate: z.boolean(),
    ports: z.array(z.looseObject({ containerPort: z.number(), hostIp: z.string() })),
  }),
  limits: z.looseObject({
    memoryBytes: z.number().nullable(),
    cpus: z.number().nullable(),
    pids: z.number().nullable(),
    nofile: z.number().nullable(),
    nproc: z.number().nullable(),
    logBytes: z.number(),
  }),
  security: z.looseObject({
    workerUid: z.number(),
    workerGid: z.number(),
    agentUid: z.number(),
    agentGid: z.number(),
    capabilities: z.array(z.string()),
    noNewPrivileges: z.boolean(),
    readOnlyRoot: z.boolean(),
    userns: z.enum(["host", "keep-id"]),
    runtime: z.string().nullable(),
  }),
  agents: z.array(
    z.looseObject({
      agent: z.string(),
      version: z.string(),
      hostPath: z.string(),
      target: z.string(),
      program: z.string(),
      sha256: z.string(),
    }),
  ),
});

const cause = z.looseObject({ code: z.string(), message: z.string() });

/** A row as a {@link Lane}. @throws store.corrupt */
export function parseLane(row: LaneRow, path: string): Lane {
  return {
    id: row.id,
    name: row.name,
    workspaceId: row.workspace,
    branch: row.branch,
    worktree: row.worktree,
    desired: parseStored(desired, JSON.stringify(row.desired), { path, what: `lane ${row.id}, desired` }),
    settings: parseSettings(row.settings, row.id, path),
    generation: row.generation,
    createdAtMs: row.created_at,
  };
}

function parseSettings(text: string, lane: string, path: string): LaneSettings {
  return parseStored(settings, text, { path, what: `lane ${lane}, settings` });
}

/** A stored spec; null when a build with another {@link LANE_SPEC_SCHEMA} wrote it. */
export function parseSpec(text: string): LaneSpec | null {
  const parsed = spec.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : null;
}

/** A row as a {@link LaneHistoryEntry}. @throws store.corrupt */
export function parseHistory(row: HistoryRow, path: string): LaneHistoryEntry {
  return {
    seq: row.seq,
    atMs: row.at,
    generation: row.generation,
    event: row.event,
    from: row.from_state,
    to: row.to_state,
    cause: row.cause === null ? null : parseStored(cause, row.cause, { path, what: `history entry ${row.seq}` }),
  };
}
