import type { Job, JobLogEvent, JobSpec } from "../job/index.ts";
import type {
  DriftField,
  Lane,
  LaneHistoryEntry,
  LaneSettings,
  LaneState,
  ObservedContainer,
  Workspace,
} from "../lane/index.ts";
import type {
  ApiAgent,
  ApiAgentVersion,
  ApiCredential,
  ApiDrift,
  ApiExecPlan,
  ApiJob,
  ApiLane,
  ApiPlan,
  ApiReadiness,
  ApiRefreshedCredential,
  ApiStatus,
  ExecRequest,
  InstallAgent,
  PlanIntent,
} from "../protocol/index.ts";

/** Options of every call that can wait. The signal aborts when the client has gone; what was begun may still happen. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A value, now or later: ports that only read memory or SQLite need not pretend to wait. */
export type Awaitable<T> = T | Promise<T>;

/** A lane as it is now. */
export interface LaneView {
  readonly lane: Lane;
  readonly state: LaneState;
  /** What was last seen of its container. */
  readonly container: ObservedContainer | null;
  readonly drift: readonly DriftField[];
  readonly containerName: string;
  /** Id of the job that occupies it. */
  readonly job: string | null;
  readonly queued: number;
  readonly git: ApiLane["git"];
  readonly credentials: ApiLane["credentials"];
}

/** A change of settings: what is left out stays. */
export type SettingsChange = { readonly [K in keyof LaneSettings]?: LaneSettings[K] | undefined };

/** A lane to be made; the name is a valid one, the workspace is there. */
export interface NewLane {
  readonly workspaceId: string;
  readonly name: string;
  /** Default: the repository's HEAD. */
  readonly from?: string | undefined;
  /** Default: the name. */
  readonly branch?: string | undefined;
  readonly settings: SettingsChange;
}

/** Repositories. */
export interface WorkspaceService {
  list(): readonly Workspace[];
  /** @throws workspace.invalid, workspace.exists */
  add(wanted: { readonly path: string; readonly name?: string | undefined }, opts: CallOptions): Promise<Workspace>;
  /** @throws workspace.in_use */
  remove(id: string, opts: CallOptions): Promise<void>;
}

/** How long a call may wait for the lane; it answers with the state of then. */
export interface WaitOptions extends CallOptions {
  readonly waitMs: number;
}

/** Lanes. Ids are those of lanes on record; every method may throw lane.not_found when one vanishes meanwhile. */
export interface LaneService {
  /** Lanes on record, from memory: asked on every call. */
  lanes(): readonly Lane[];
  /** One of {@link lanes} by its id. */
  findLane(id: string): Lane | null;
  list(opts: CallOptions): Awaitable<readonly LaneView[]>;
  get(id: string, opts: CallOptions): Awaitable<LaneView>;
  /** Puts the lane on record and answers; whoever wants it ready calls `ensure`. @throws lane.exists, git.conflict */
  add(wanted: NewLane, opts: CallOptions): Promise<LaneView>;
  /** What `add` would do. Changes nothing. */
  planAdd(wanted: NewLane, opts: CallOptions): Promise<ApiPlan>;
  /** @throws lane.would_lose_work without `force` */
  remove(id: string, opts: CallOptions & { readonly force: boolean }): Promise<void>;
  patch(id: string, change: SettingsChange, opts: CallOptions): Awaitable<LaneView>;
  /** Resolves when ready or failed, at the latest after `waitMs`. The hot path. */
  ensure(id: string, opts: WaitOptions): Promise<LaneView>;
  /** As `ensure`, but a failed lane is tried again. */
  start(id: string, opts: WaitOptions): Promise<LaneView>;
  stop(id: string, opts: WaitOptions): Promise<LaneView>;
  restart(id: string, opts: WaitOptions & { readonly now: boolean }): Promise<LaneView>;
  /** Brings lane and host to the same commits. @throws lane.not_ready, git.refused */
  sync(id: string, opts: CallOptions): Promise<LaneView>;
  /** At once with `now`, else when the running job has ended. */
  recreate(id: string, opts: WaitOptions & { readonly now: boolean }): Promise<LaneView>;
  /** What would be done for an intent. Changes nothing. */
  plan(id: string, intent: PlanIntent, opts: CallOptions): Promise<ApiPlan>;
  drift(id: string, opts: CallOptions): Awaitable<ApiDrift>;
  /** Newest last. */
  history(id: string, opts: CallOptions & { readonly limit: number }): Awaitable<readonly LaneHistoryEntry[]>;
  /** How the engine's own CLI runs something in the lane. @throws lane.not_ready */
  execPlan(id: string, request: ExecRequest, opts: CallOptions): Awaitable<ApiExecPlan>;
  /** The last lines of the container's own output; empty without a container. */
  containerLogs(
    id: string,
    opts: CallOptions & { readonly lines: number },
  ): Promise<{ readonly container: string | null; readonly lines: readonly string[] }>;
}

/** Why a job is not begun, and what there is to say beyond that. */
export interface JobWait {
  readonly reason: NonNullable<ApiJob["waiting"]>;
  readonly detail: string | null;
}

/** Work. The dispatcher fits as it is. */
export interface JobService {
  /** On the disk before it resolves. @throws request.key_conflict, usage.invalid */
  submit(opts: { readonly laneId: string; readonly spec: JobSpec }): Awaitable<{
    readonly job: Job;
    /** False: the key was known, this is the job of then. */
    readonly created: boolean;
  }>;
  /** By id or unique prefix. @throws job.not_found */
  findJob(idOrPrefix: string): Awaitable<Job>;
  /** Newest first. */
  listJobs(opts: {
    readonly laneId?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): Awaitable<readonly Job[]>;
  /** An ended job stays as it is. */
  cancel(id: string): Awaitable<Job>;
  /** What keeps a queued job that its lane could begin now; null for every other job. From memory. */
  waitingOf(job: Job): JobWait | null;
  /** The agent's session a prompt is or was in. */
  sessionOf(job: Job): string | null;
  /** What it has left in git; null while that is not known. */
  gitOf(job: Job): { readonly commits: readonly string[]; readonly uncommitted: readonly string[] } | null;
  /** How far a running job is known to have come; null for every other job. From memory. */
  progressOf(job: Job): { readonly lastAtMs: number | null; readonly stuckForMs: number | null } | null;
  /** Files of the job's latest attempt, where they are there. */
  filesOf(job: Job): ApiJob["files"];
  retry(id: string): Awaitable<Job>;
  readEvents(id: string, opts: { readonly after: number; readonly limit: number }): Awaitable<readonly JobLogEvent[]>;
  /** Events after `after`, then live; ends when the job has ended and all of it was given. Pulled, so never ahead. */
  follow(id: string, opts: CallOptions & { readonly after: number }): AsyncIterable<JobLogEvent>;
}

/** One entry of the installation's feed. */
export interface FeedEntry {
  readonly seq: number;
  readonly atMs: number;
  readonly type: string;
  readonly lane: string | null;
  readonly job: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The feed. The store's fits as it is. */
export interface FeedService {
  /** Oldest first. */
  readAfter(seq: number, limit: number): readonly FeedEntry[];
  /** Number of the newest entry, 0 when there never was one. */
  latest(): number;
  /** Number of the oldest entry still kept, 0 when there is none. */
  oldest(): number;
  /** Calls `fn` after each new entry until the returned function is called. */
  subscribe(fn: () => void): () => void;
}

/** Installed agents. Names are checked; every method may throw agent.not_found. */
export interface AgentService {
  list(): readonly ApiAgent[];
  /** Can take minutes; what is under way ends with the signal, and leaves nothing. @throws agent.install_failed */
  install(
    wanted: InstallAgent,
    opts: CallOptions,
  ): Promise<{
    readonly version: ApiAgentVersion;
    /** False: it was installed already. */
    readonly isNew: boolean;
  }>;
  /** Lanes that have another version drift. */
  use(agent: string, version: string | null): Promise<ApiAgent>;
  /** @throws agent.in_use */
  remove(agent: string, version: string): Promise<void>;
}

/** Logins of agents on this host. */
export interface CredentialService {
  /** Of every agent that needs one. */
  list(): readonly ApiCredential[];
  /** Runs its sync command, up to a minute, and reads its sources again. @throws agent.not_found, usage.invalid */
  refresh(agent: string, opts: CallOptions): Promise<ApiRefreshedCredential>;
}

/** The daemon itself. */
export interface StatusService {
  status(opts: CallOptions): Awaitable<ApiStatus>;
  readiness(): Awaitable<ApiReadiness["checks"]>;
  /** Begins the shutdown and returns: the answer to the caller is still to be sent. */
  shutdown(): void;
}

/** What the host API works on. */
export interface HostApiPorts {
  readonly workspaces: WorkspaceService;
  readonly lanes: LaneService;
  readonly jobs: JobService;
  readonly agents: AgentService;
  readonly credentials: CredentialService;
  readonly feed: FeedService;
  readonly status: StatusService;
}

/** The few methods of a logger that are used; pino's fits. */
export interface ApiLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
