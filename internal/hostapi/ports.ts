import type { Duplex } from "node:stream";
import type { InboxActor, InboxItem, InboxKind, InboxTask, Job, JobLogEvent, JobSpec } from "../job/index.ts";
import type { LaneState, Workspace } from "../lane/index.ts";
import type {
  ApiAgent,
  ApiAgentVersion,
  ApiCloneProgress,
  ApiCredential,
  ApiDoctor,
  ApiJob,
  ApiReadiness,
  ApiRefreshedCredential,
  ApiStatus,
  Ask,
  CreateTask,
  InstallAgent,
  Report,
  TerminalSize,
} from "../protocol/index.ts";
import type { LaneConfigService } from "./config-ports.ts";
import type { LaneGitService, LaneService } from "./lane-ports.ts";
import type { Awaitable, CallOptions } from "./port-terms.ts";

/** Repositories. */
export interface WorkspaceService {
  list(): readonly Workspace[];
  /** Clones first what is named by its address; that ends with the signal. @throws workspace.invalid, workspace.exists */
  add(
    wanted: ({ readonly path: string } | { readonly url: string }) & { readonly name?: string | undefined },
    opts: CallOptions,
  ): Promise<Workspace>;
  /** Those under way. */
  clones(): readonly ApiCloneProgress[];
  /** @throws workspace.in_use */
  remove(id: string, opts: CallOptions): Promise<void>;
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
  /** Cancels it only while it waits for its turn. @throws job.started */
  withdraw(id: string): Awaitable<Job>;
  /** What keeps a queued job that its lane could begin now; null for every other job. From memory. */
  waitingOf(job: Job): JobWait | null;
  /** The agent's session a prompt is or was in. */
  sessionOf(job: Job): string | null;
  /** What it has left in git; null while that is not known. */
  gitOf(job: Job): { readonly commits: readonly string[]; readonly uncommitted: readonly string[] } | null;
  /** The oldest question of its agent that is open; null for none, and for a job that has ended. */
  questionOf(job: Job): string | null;
  /** What its agent reported as its summary; null for none. */
  summaryOf(job: Job): string | null;
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

/** What metrics are read from beside the other ports: all of it from memory or by an index. */
export interface MetricsSource {
  lanes(): readonly { readonly state: LaneState["phase"]; readonly driftedParts: readonly string[] }[];
  jobsByState(): Readonly<Record<string, number>>;
  findJob(id: string): Job | null;
  /** When the open item that has waited longest was made; null when none waits. */
  oldestOpenItemAtMs(): number | null;
}

/** Answers of requests by their idempotency keys. The store's fits as it is. */
export interface RequestKeys {
  /** Null for a key that is new, or older than a day. `scope`: the route's name. */
  find(
    scope: string,
    key: string,
  ): { readonly hash: string; readonly status: number; readonly body: string | null } | null;
  put(
    scope: string,
    key: string,
    answer: { readonly hash: string; readonly status: number; readonly body: string | null },
  ): void;
  /** Whatever `fn` puts on record, here and elsewhere in the store: all or nothing, in one commit. */
  together<T>(fn: () => T): T;
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

/** A call of a lane. Who makes it is its link's word. */
export interface LaneCall<B> {
  readonly laneId: string;
  /** The job that runs there. */
  readonly job: { readonly id: string; readonly attempt: number };
  /** Idempotency key. */
  readonly key: string | null;
  readonly body: B;
}

/** What waits for people, and what lanes ask, report and propose. Synchronous, durable on return. */
export interface InboxService {
  /** Newest first. `done`: all that wait no more. */
  list(query: {
    readonly bucket?: "open" | "snoozed" | "done" | undefined;
    readonly kind?: InboxKind | undefined;
    readonly laneId?: string | undefined;
    /** Only those with this in their title or body. */
    readonly text?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): readonly InboxItem[];
  countOpen(): number;
  /** By id or unique prefix. @throws inbox.not_found, usage.invalid */
  get(idOrPrefix: string): InboxItem;
  /** @throws inbox.not_found, inbox.answered, inbox.expired, request.invalid */
  answer(idOrPrefix: string, text: string, by: InboxActor): InboxItem;
  snooze(idOrPrefix: string, forMs: number): InboxItem;
  done(idOrPrefix: string, by: InboxActor): InboxItem;
  reopen(idOrPrefix: string): InboxItem;
  markRead(idOrPrefix: string, isRead: boolean): InboxItem;
  /** The job that occupies the lane, with its attempt; null when none does. */
  jobOf(laneId: string): LaneCall<unknown>["job"] | null;
  /** @throws request.key_conflict, request.invalid, inbox.full; so do the next ones */
  ask(call: LaneCall<Ask>): InboxItem;
  /** Id of the item it has made, null for none. */
  report(call: LaneCall<Report>): string | null;
  createTask(call: LaneCall<CreateTask>): InboxTask;
  /** The question once it is settled, at the latest after `waitMs`. @throws inbox.not_found */
  waitForAnswer(
    id: string,
    opts: {
      readonly laneId: string;
      readonly seesAll: boolean;
      readonly waitMs: number;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<InboxItem>;
  /** Of a lane, of all for null; newest first. */
  tasks(laneId: string | null): readonly InboxTask[];
  /** @throws inbox.not_found, inbox.answered */
  finishTask(id: string, laneId: string): InboxTask;
}

/** The daemon itself. */
export interface StatusService {
  status(opts: CallOptions): Awaitable<ApiStatus>;
  readiness(): Awaitable<ApiReadiness["checks"]>;
  /** The page's, as `http://127.0.0.1:4711`; null while it is not served. */
  address(): string | null;
  /** Looks at this machine as `lane doctor` does, and mends nothing. Takes about a second. */
  doctor(opts: CallOptions): Promise<ApiDoctor>;
  /** Begins the shutdown and returns: the answer to the caller is still to be sent. */
  shutdown(): void;
}

/** A shell in a lane. */
export interface TerminalSession {
  /** What is typed, and what is shown. Ends with the shell. */
  readonly stream: Duplex;
  resize(size: TerminalSize, opts: CallOptions): Promise<void>;
  /** The shell's exit code; null while it runs, or when nobody knows. */
  exitCode(opts: CallOptions): Promise<number | null>;
  /** Ends the shell and all that was started from it; resolves when none of it is left. May be repeated. */
  end(): Promise<void>;
}

/** Shells in lanes, for people at the page. */
export interface TerminalService {
  /** @throws lane.not_ready when no container runs */
  check(laneId: string): void;
  /** @throws lane.not_ready, engine.*; the signal ends what was begun */
  open(laneId: string, opts: CallOptions & { readonly size: TerminalSize }): Promise<TerminalSession>;
}

/** What the host API works on. */
export interface HostApiPorts {
  readonly workspaces: WorkspaceService;
  readonly lanes: LaneService;
  readonly git: LaneGitService;
  readonly jobs: JobService;
  readonly agents: AgentService;
  readonly credentials: CredentialService;
  readonly laneConfig: LaneConfigService;
  readonly feed: FeedService;
  readonly inbox: InboxService;
  readonly status: StatusService;
  readonly terminals: TerminalService;
}

/** The few methods of a logger that are used; pino's fits. */
export interface ApiLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
