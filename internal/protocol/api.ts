import * as z from "zod";
import {
  causeSchema,
  driftPolicySchema,
  laneRepositorySchema,
  laneSettingsSchema,
  laneSetupSchema,
} from "./api-settings.ts";

/** Shapes of the host API, as they cross the wire. Fields are only ever added. Times are ISO 8601, sizes bytes. */

const iso = z.iso.datetime();
const nullable = <T extends z.ZodType>(schema: T) => schema.nullable();

export const driftFieldSchema = z.object({
  part: z.string(),
  field: z.string(),
  was: nullable(z.string()),
  is: nullable(z.string()),
});

export const laneSchema = z.object({
  id: z.string(),
  name: z.string(),
  workspace: z.string(),
  branch: z.string(),
  worktree: z.string(),
  desired: z.enum(["up", "stopped", "gone"]),
  state: z.string(),
  /** Why it is in this state, where there is more to say than the state's name. */
  cause: nullable(causeSchema),
  /** Last lines of the container's own output, for a failed lane. */
  logTail: z.array(z.string()),
  /** When the state was entered. */
  since: nullable(iso),
  /** For `backoff`: when the next try comes. */
  until: nullable(iso),
  generation: z.number().int(),
  container: nullable(z.string()),
  containerName: z.string(),
  startedAt: nullable(iso),
  workerPid: nullable(z.number().int()),
  endpoint: nullable(z.string()),
  fingerprint: nullable(z.string()),
  drift: z.array(driftFieldSchema),
  agent: nullable(z.string()),
  settings: z.record(z.string(), z.unknown()),
  job: nullable(z.string()),
  queued: z.number().int(),
  git: nullable(
    z.object({
      ahead: z.number().int(),
      behind: z.number().int(),
      dirty: z.number().int(),
      /** Commits of the lane that its branch on the host lacks. */
      unimported: z.number().int(),
      /** Both tips of the lane's branch, when lane and host have gone apart; nothing is moved then. */
      diverged: nullable(z.object({ lane: nullable(z.string()), host: nullable(z.string()) })).optional(),
      /** Why lane and host do not have the same commits yet. */
      held: nullable(z.string()).optional(),
      /** How the last push after a job ended, where the lane pushes. */
      push: nullable(
        z.object({
          at: iso,
          ok: z.boolean(),
          remote: nullable(z.string()),
          /** The commit that was pushed, or should have been. */
          tip: nullable(z.string()),
          /** Why it failed. */
          message: nullable(z.string()),
        }),
      ).optional(),
    }),
  ),
  /** Published on loopback beside the worker's. */
  ports: z.array(z.object({ container: z.number().int(), host: z.number().int() })).optional(),
  setup: laneSetupSchema.optional(),
  repository: laneRepositorySchema.optional(),
  /** What a person should know of a lane that was just made. */
  notices: z.array(z.string()).optional(),
  credentials: z.record(
    z.string(),
    z.object({
      state: z.string(),
      source: nullable(z.string()),
      expiresAt: nullable(iso),
      /** Why it cannot be used, or what to do to have one. */
      reason: z.string().optional(),
    }),
  ),
  createdAt: iso,
});

export const planStepSchema = z.object({
  op: z.string(),
  /** One line for people, as printed by `lane plan`. */
  text: z.string(),
  destructive: z.boolean(),
  cause: causeSchema,
});

export const planSchema = z.object({ lane: z.string(), steps: z.array(planStepSchema) });

export const driftSchema = z.object({
  lane: z.string(),
  policy: driftPolicySchema,
  /** Held, waiting for idle, or being applied; `none` without drift. */
  action: z.enum(["none", "waiting-for-idle", "held", "recreating"]),
  fields: z.array(driftFieldSchema),
});

export const historyEntrySchema = z.object({
  seq: z.number().int(),
  at: iso,
  generation: nullable(z.number().int()),
  event: z.string(),
  from: nullable(z.string()),
  to: nullable(z.string()),
  cause: nullable(z.object({ code: z.string(), message: z.string() })),
});

export const jobSchema = z.object({
  id: z.string(),
  lane: z.string(),
  laneName: z.string(),
  kind: z.enum(["command", "prompt"]),
  argv: nullable(z.array(z.string())),
  prompt: nullable(z.string()),
  agent: nullable(z.string()),
  state: z.string(),
  /** Id of the inbox item that its agent has asked and nobody has answered yet: it waits for it, or runs on meanwhile. */
  question: nullable(z.string()).optional(),
  /** Why a queued job waits, that the worker is out of reach, or for how long a running job has made no progress. */
  detail: nullable(z.string()),
  /**
   * Why a queued job is not begun although its lane could: the host is short of memory, enough jobs run already, or its
   * agent's account is at its usage limit, is being spared, or has to log in, or the lane's container was made without
   * the agent, or is still to be prepared; `detail` says more.
   */
  waiting: nullable(z.enum(["memory", "count", "limit", "backoff", "login", "agent", "setup"])),
  /** When a running job was last seen to do something: output, CPU time, other processes. Null where that is not known. */
  lastProgressAt: nullable(iso).optional(),
  /** It runs, and its processes have done nothing for longer than `jobs.stuckAfter`. */
  stuck: z.boolean().optional(),
  attempt: z.number().int(),
  key: nullable(z.string()),
  priority: z.number().int(),
  session: nullable(z.string()),
  exitCode: nullable(z.number().int()),
  signal: nullable(z.string()),
  truncated: z.boolean(),
  /** The agent's last words, or its summary where it had none. */
  text: nullable(z.string()),
  /** What its agent reported as done. */
  summary: nullable(z.string()).optional(),
  usage: nullable(
    z.object({ inputTokens: z.number().int(), outputTokens: z.number().int(), costUsd: nullable(z.number()) }),
  ),
  git: nullable(z.object({ commits: z.array(z.string()), uncommitted: z.array(z.string()) })),
  error: nullable(z.object({ code: z.string(), message: z.string(), stderrTail: z.string().optional() })),
  /** On the daemon's machine, of the latest attempt: every event of its worker as a line of JSON; why it failed. */
  files: z.object({ stream: nullable(z.string()), failure: nullable(z.string()) }),
  createdAt: iso,
  startedAt: nullable(iso),
  endedAt: nullable(iso),
});

const eventHead = { seq: z.number().int(), job: z.string(), attempt: z.number().int(), at: iso };

/** One event of a job's log: `{seq, job, attempt, at, type, …}`. */
export const jobEventSchema = z.looseObject({ ...eventHead, type: z.string() });

/** One entry of the installation's feed, as sent on `/v1/events`. */
export const feedEntrySchema = z.object({
  seq: z.number().int(),
  at: iso,
  /** `lane.<event>`, `job.<phase>`, `job.stuck`, `job.moving`, `workspace.<act>`. */
  type: z.string(),
  lane: nullable(z.string()),
  job: nullable(z.string()),
  data: z.record(z.string(), z.unknown()),
});

export const statusSchema = z.object({
  version: z.string(),
  build: z.string(),
  install: z.string(),
  pid: z.number().int(),
  startedAt: iso,
  api: nullable(z.string()),
  socket: z.string(),
  engine: z.object({
    ok: z.boolean(),
    version: nullable(z.string()),
    address: nullable(z.string()),
    /** The service was started by us. */
    own: z.boolean(),
    error: nullable(causeSchema),
  }),
  image: nullable(z.object({ reference: z.string(), id: nullable(z.string()) })),
  lanes: z.record(z.string(), z.number().int()),
  jobs: z.record(z.string(), z.number().int()),
  /** How many of the running jobs are stuck. */
  stuckJobs: z.number().int().optional(),
  /** Number of the feed's newest entry: a picture taken after this answer lacks nothing that came before it. */
  feedSeq: z.number().int().optional(),
});

/** One installed version of an agent. */
export const agentVersionSchema = z.object({
  agent: z.string(),
  version: z.string(),
  /** npm's words, as `linux-x64-glibc`. */
  platform: z.string(),
  /** Lanes get this one. */
  inUse: z.boolean(),
  /** Names of the lanes whose container has it. */
  lanes: z.array(z.string()),
  /** Digest of all its files. */
  sha256: z.string(),
  bytes: z.number().int(),
  installedAt: iso,
});

export const agentSchema = z.object({
  agent: z.string(),
  title: z.string(),
  /** The npm package that is installed; null: there is nothing to install. */
  package: nullable(z.string()),
  /** The version that lanes get. */
  inUse: nullable(z.string()),
  versions: z.array(agentVersionSchema),
  /** `unknown`, `not-needed`, or what its credentials are. Never a value of theirs. */
  login: z.object({ state: z.string(), source: nullable(z.string()) }),
});

/** An agent's login on this host. Never a value of it. */
export const credentialSchema = z.object({
  agent: z.string(),
  title: z.string(),
  /** `refused`: lanes keep the last good one, if there was one. */
  state: z.enum(["usable", "missing", "refused"]),
  /** A variable's name or a file's path. */
  source: nullable(z.string()),
  /** When its present token ends; a login that can be renewed lives on. */
  expiresAt: nullable(iso),
  /** The beginning of a salted digest: the same for the same login. */
  account: nullable(z.string()),
  /** Why it cannot be used, and what to do. */
  reason: nullable(z.object({ message: z.string(), hint: z.string().optional() })),
  warning: nullable(z.string()),
  /** Names of the lanes that hold its file; a variable goes to the agent's processes only. */
  lanes: z.array(z.string()),
});

/** A login after its sources were read again. */
export const refreshedCredentialSchema = credentialSchema.extend({
  /** It is another login than before. */
  changed: z.boolean(),
});

/** The last lines of a container's own output. */
export const laneLogsSchema = z.object({
  lane: z.string(),
  container: nullable(z.string()),
  lines: z.array(z.string()),
});

/** Answer to `/healthz`: the process runs. */
export const healthSchema = z.object({ ok: z.boolean(), version: z.string(), api: z.number().int() });

/** Answer to `/readyz`: 200 when every check is true, 503 otherwise. */
export const readinessSchema = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.boolean()) });

/** Answer to `POST /v1/shutdown`, sent before the daemon goes. */
export const shutdownSchema = z.object({ stopping: z.boolean(), pid: z.number().int() });

/** On `/v1/events`: entries `from`..`to` are no longer kept, fetch a fresh picture. `reset`: the log began anew. */
export const feedGapSchema = z.object({ from: z.number().int(), to: z.number().int(), reset: z.boolean() });

// ---- requests (strict: unknown fields of our own clients are refused) ----

/** Just one of `path`, of a repository on this machine, and `url`, of one to clone first. */
export const addWorkspaceSchema = z
  .strictObject({
    path: z.string().min(1).optional(),
    url: z.string().min(1).max(4096).optional(),
    name: z.string().optional(),
  })
  .refine(({ path, url }) => (path === undefined) !== (url === undefined), "give either a path or a url");

export const addLaneSchema = z.strictObject({
  name: z.string(),
  /** Id, name, or a folder in it; the only one there is when left out. */
  workspace: z.string().optional(),
  /** Ref the branch starts at; the repository's HEAD when left out. */
  from: z.string().optional(),
  /** The lane's name when left out. */
  branch: z.string().optional(),
  settings: laneSettingsSchema.optional(),
  /** Print what would happen, change nothing. */
  dryRun: z.boolean().optional(),
});

/** `latest` is resolved once, and the version it stands for is what gets installed. */
export const installAgentSchema = z.strictObject({ agent: z.string().min(1), version: z.string().min(1) });

/** The installed version that lanes get from now on; null for none. */
export const useAgentSchema = z.strictObject({ version: nullable(z.string().min(1)) });

export const patchLaneSchema = z.strictObject({ settings: laneSettingsSchema });

export const submitJobSchema = z.union([
  z.strictObject({
    kind: z.literal("command"),
    argv: z.array(z.string().max(131_072)).min(1).max(1024),
    key: z.string().min(1).max(128).optional(),
    deadlineMs: z.number().int().positive().optional(),
    priority: z.number().int().min(-100).max(100).optional(),
    retry: z.enum(["never", "on_lost"]).optional(),
  }),
  z.strictObject({
    kind: z.literal("prompt"),
    prompt: z.string().min(1).max(1_000_000),
    agent: z.string().optional(),
    session: z.string().optional(),
    key: z.string().min(1).max(128).optional(),
    deadlineMs: z.number().int().positive().optional(),
    priority: z.number().int().min(-100).max(100).optional(),
    retry: z.enum(["never", "on_lost"]).optional(),
  }),
]);

/** Asks how to run `argv` in a lane's container. */
export const execRequestSchema = z.strictObject({
  tty: z.boolean(),
  argv: z.array(z.string().max(131_072)).min(1).max(1024),
});

/** How to run something in a lane's container by the engine's own CLI: `lane exec`, `lane shell`. */
export const execPlanSchema = z.object({ argv: z.array(z.string()), env: z.record(z.string(), z.string()) });

/** `application/problem+json`, plus our code, retry class and next step. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  retry: z.enum(["retryable", "terminal"]),
  hint: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
  requestId: z.string(),
});

/** Answer to `GET /v1/lane/context`, called from inside a lane. */
export const laneContextSchema = z.object({
  lane: z.string(),
  name: z.string(),
  workspace: z.string(),
  branch: z.string(),
  generation: z.number().int(),
  role: z.string(),
  job: nullable(z.string()),
});

export type ApiLane = z.infer<typeof laneSchema>;
export type ApiPlan = z.infer<typeof planSchema>;
export type ApiDrift = z.infer<typeof driftSchema>;
export type ApiHistoryEntry = z.infer<typeof historyEntrySchema>;
export type ApiJob = z.infer<typeof jobSchema>;
export type ApiJobEvent = z.infer<typeof jobEventSchema>;
export type ApiFeedEntry = z.infer<typeof feedEntrySchema>;
export type ApiAgent = z.infer<typeof agentSchema>;
export type ApiCredential = z.infer<typeof credentialSchema>;
export type ApiRefreshedCredential = z.infer<typeof refreshedCredentialSchema>;
export type ApiAgentVersion = z.infer<typeof agentVersionSchema>;
export type ApiStatus = z.infer<typeof statusSchema>;
export type ApiProblem = z.infer<typeof problemSchema>;
export type ApiExecPlan = z.infer<typeof execPlanSchema>;
export type ApiLaneLogs = z.infer<typeof laneLogsSchema>;
export type ApiHealth = z.infer<typeof healthSchema>;
export type ApiReadiness = z.infer<typeof readinessSchema>;
export type ApiShutdown = z.infer<typeof shutdownSchema>;
export type ApiFeedGap = z.infer<typeof feedGapSchema>;
export type ApiLaneContext = z.infer<typeof laneContextSchema>;
export type InstallAgent = z.infer<typeof installAgentSchema>;
export type UseAgent = z.infer<typeof useAgentSchema>;
export type AddWorkspace = z.infer<typeof addWorkspaceSchema>;
export type AddLane = z.infer<typeof addLaneSchema>;
export type PatchLane = z.infer<typeof patchLaneSchema>;
export type ExecRequest = z.infer<typeof execRequestSchema>;
export type SubmitJob = z.infer<typeof submitJobSchema>;
