import type {
  AttemptEnd,
  HostEventBody,
  Job,
  JobError,
  JobLogEvent,
  JobResult,
  JobSpec,
  WorkerEvent,
} from "../job/index.ts";
import type { AttemptReport, StartWork } from "../protocol/index.ts";
import type { FailureReport } from "./failure-report.ts";

/** Options of every call that can wait. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** One attempt, as it is sent to a worker. */
export interface StartRequest {
  readonly job: string;
  readonly attempt: number;
  readonly generation: number;
  readonly bodyHash: string;
  readonly work: StartWork;
}

/**
 * A lane's open, authenticated link. `start` and `cancel` resolve with what the worker then knows of the attempt; they
 * reject with worker.refused (`details.code` and `details.message` are the worker's words) when it says no, and with
 * anything else when no answer came: then the outcome is open until the next link. Both may be repeated.
 */
export interface LaneLink {
  readonly laneId: string;
  readonly generation: number;
  /** Id of the spool on the lane's volume. */
  readonly spool: string;
  /** What the worker knew when the link was opened. */
  readonly attempts: readonly AttemptReport[];
  start(request: StartRequest, opts: CallOptions): Promise<AttemptReport>;
  cancel(target: { readonly job: string; readonly attempt: number }, opts: CallOptions): Promise<AttemptReport>;
  /** Everything up to `seq` is on the host's disk. Never waits; a closed link ignores it. */
  ack(job: string, attempt: number, seq: number): void;
}

/** One try, as it is on record. */
export interface AttemptRecord {
  readonly attempt: number;
  /** The last generation whose worker had it. */
  readonly generation: number;
  /** The last of the worker's event numbers on record, 0 for none. */
  readonly lastSeq: number;
  /** The worker's `finished` is on record: nothing may follow. */
  readonly finished: boolean;
  /** How it ended; null while it has not. */
  readonly outcome: { readonly phase: AttemptEnd["phase"] } | null;
}

/** Something that a job's agent has asked, and has not got an answer to yet. */
export interface PendingQuestion {
  readonly id: string;
  /** Nobody need do anything more: it was answered, its time has come, or it was put away. */
  readonly settled: boolean;
}

/** What agents have asked, as far as their jobs depend on it. Synchronous; all calls join the commit under way. */
export interface JobQuestions {
  /** What the job's agent has asked and not been told the outcome of, oldest first. */
  listPending(job: string): readonly PendingQuestion[];
  /** An attempt that is on record begins with the outcome of these. May be repeated. */
  markDelivered(items: readonly string[]): void;
  /** The job has ended: what is still open is put away. */
  close(job: string): void;
}

/** Jobs on record. All calls are synchronous and durable when they return; `store.*` errors otherwise. */
export interface JobRecords {
  /** @throws lane.not_found */
  insert(job: Job): void;
  save(job: Job): void;
  find(id: string): Job | null;
  findByKey(laneId: string, key: string): Job | null;
  findByPrefix(prefix: string, limit: number): readonly Job[];
  /** Newest first. */
  list(opts: {
    readonly laneId?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): readonly Job[];
  /** Highest priority, then first in. */
  nextQueued(laneId: string): Job | null;
  listQueued(laneId: string): readonly Job[];
  countQueued(laneId: string): number;
  listActive(laneId: string | null): readonly Job[];
  hasActive(laneId: string): boolean;
  /** Those in `awaiting_answer`; of all lanes for null. */
  listAwaiting(laneId: string | null): readonly Job[];
  hasLane(laneId: string): boolean;
  putAttempt(job: string, attempt: number, generation: number, atMs: number): void;
  endAttempt(job: string, attempt: number, outcome: AttemptEnd, atMs: number): void;
  findAttempt(job: string, attempt: number): AttemptRecord | null;
  /** Ids of the questions with whose outcome an attempt begins. */
  putAnswers(job: string, attempt: number, items: readonly string[]): void;
  listAnswers(job: string, attempt: number): readonly string[];
  listAcked(
    laneId: string,
    limit: number,
  ): readonly { readonly job: string; readonly attempt: number; readonly lastSeq: number }[];
  findSpool(laneId: string): string | null;
  saveSpool(laneId: string, spool: string, atMs: number): void;
  /** The agent's session that a prompt is in; the job's latest counts. */
  putSession(job: string, session: string, atMs: number): void;
  /** The session of a job, null while there is none. */
  findSession(job: string): string | null;
  /** The latest session of the agent in the lane. */
  findLastSession(laneId: string, agent: string): string | null;
  /** The events must follow on the last one on record. */
  appendWorkerEvents(job: string, attempt: number, events: readonly WorkerEvent[]): void;
  appendHostEvent(job: string, attempt: number, atMs: number, body: HostEventBody): void;
  readEvents(job: string, opts: { readonly after: number; readonly limit: number }): readonly JobLogEvent[];
}

/** The store as dispatch needs it. */
export interface DispatchStore {
  /** All of `fn`'s changes or none. Inner calls join the outer one. */
  transaction<T>(fn: () => T): T;
  readonly jobs: JobRecords;
  readonly feed: {
    append(entry: {
      readonly atMs: number;
      readonly type: string;
      readonly lane: string | null;
      readonly job: string | null;
      readonly data: Readonly<Record<string, unknown>>;
    }): unknown;
  };
}

/** What keeps a job from being started although its lane could. */
export interface Hold {
  readonly reason: "limit" | "backoff" | "login" | "agent" | "setup";
  /** For people. */
  readonly detail: string;
  /** When it ends by itself, ms since the epoch; null when something has to happen first. */
  readonly untilMs: number | null;
}

/** How an attempt that ended by itself is to be seen. */
export interface Judgement {
  /** Null: the work is done. */
  readonly error: JobError | null;
  /** Why the job is queued again at once, on record; null when its end stands. */
  readonly again: string | null;
}

/**
 * Turns a job into what the worker executes, and its end into an outcome. Agents add themselves here, and nowhere else
 * in dispatch.
 */
export interface WorkResolver {
  /**
   * Called before a job is taken: the spec with everything settled that must not change later, as which agent it goes to.
   * @throws usage.invalid for work that cannot be done here
   */
  settle(spec: JobSpec, laneId: string): JobSpec;
  /** Called for each sending of an attempt; may be repeated. A rejection fails the attempt as `start_failed`. */
  resolve(job: Job, opts: CallOptions): Promise<StartWork>;
  /** May the job be started now? Quick; never throws. */
  holdOf(job: Job): Hold | null;
  /** Called within the commit of an attempt's end. Null: by its exit code. Must not throw. */
  judge(job: Job, result: JobResult): Judgement | null;
}

/**
 * Files of each attempt, for people and their tools; the store is the truth. No call throws or waits: what cannot be
 * written is mended later.
 */
export interface AttemptFiles {
  /** Events that have just been committed, without secrets, in order. */
  append(job: string, attempt: number, events: readonly WorkerEvent[]): void;
  /** Brings the stream's file in line with the store. */
  complete(job: string, attempt: number): void;
  writeFailure(report: FailureReport): void;
  /** Paths of what is there. */
  find(job: string, attempt: number): { readonly stream: string | null; readonly failure: string | null };
  /** Removes the files of all jobs of a lane. */
  removeLane(laneId: string): void;
}
