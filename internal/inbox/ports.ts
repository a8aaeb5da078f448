import type { Logger } from "pino";
import type { Clock } from "../base/index.ts";
import type { InboxItem, InboxKind, InboxReport, InboxTask, LaneWord } from "../job/index.ts";

/** Items on record. All calls are synchronous and durable when they return; `store.*` errors otherwise. */
export interface ItemRecords {
  insert(item: InboxItem): void;
  save(item: InboxItem): void;
  find(id: string): InboxItem | null;
  findByPrefix(prefix: string, limit: number): readonly InboxItem[];
  list(query: ListQuery): readonly InboxItem[];
  countOpen(): number;
  countWaitingOfLane(laneId: string): number;
  countQuestions(job: string): number;
  findBySubject(subject: string): InboxItem | null;
  listWaitingSubjects(prefix: string): readonly InboxItem[];
  listWaitingOfLane(laneId: string): readonly InboxItem[];
  listQuestions(job: string): readonly InboxItem[];
  listDue(nowMs: number, limit: number): readonly InboxItem[];
  nextDueMs(): number | null;
  /** Drops what was closed before `beforeMs` and nothing goes by any more, out of the next `limit` after `after`. */
  dropClosed(opts: { readonly beforeMs: number; readonly after: number; readonly limit: number }): {
    readonly ids: readonly string[];
    readonly next: number | null;
  };
}

/** Tasks on record. */
export interface TaskRecords {
  insert(task: InboxTask): void;
  save(task: InboxTask): void;
  find(id: string): InboxTask | null;
  findByJob(job: string): InboxTask | null;
  list(laneId: string | null, limit: number): readonly InboxTask[];
  countOfParent(job: string): number;
  listDue(): readonly InboxTask[];
}

/** Calls of lanes on record: one effect per key, and reports. */
export interface CallRecords {
  findCall(laneId: string, key: string): { readonly hash: string; readonly made: string } | null;
  putCall(laneId: string, key: string, call: { readonly hash: string; readonly made: string }): void;
  forgetCalls(laneId: string): void;
  /** What a call has made is no more. */
  forgetMade(id: string): void;
  putReport(report: InboxReport): number;
  countReports(job: string): number;
}

/** One entry for the installation's feed. */
export interface FeedLine {
  readonly atMs: number;
  readonly type: string;
  readonly lane: string | null;
  readonly job: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The store as the inbox needs it. */
export interface InboxStore {
  /** All of `fn`'s changes or none. Inner calls join the outer one. */
  transaction<T>(fn: () => T): T;
  /** Calls `fn` after the outermost commit under way, never when it is undone; at once outside of one. */
  afterCommit(fn: () => void): void;
  readonly items: ItemRecords;
  readonly tasks: TaskRecords;
  readonly laneCalls: CallRecords;
  readonly feed: {
    append(line: FeedLine): unknown;
    /** Calls `fn` after each commit with what it has appended; returns the way out. */
    subscribe(fn: (line: FeedLine) => void): () => void;
  };
}

/** A part of the inbox, newest first. */
export interface ListQuery {
  /** `done`: all that wait no more. Everything when left out. */
  readonly bucket?: "open" | "snoozed" | "done" | undefined;
  readonly kind?: InboxKind | undefined;
  readonly laneId?: string | undefined;
  /** Only those with this in their title or body; upper and lower case of ASCII letters are alike. */
  readonly text?: string | undefined;
  /** Id of an item: only those made before it. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** What the inbox is made from. */
export interface InboxDeps {
  readonly store: InboxStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes every secret the daemon knows out of a text. */
  readonly redact: (text: string) => string;
  /** Do tasks that agents propose wait for a person? */
  readonly acceptTasks: "ask" | "auto";
  /**
   * Something that the job's agent asked is settled: a job that waits for it is queued again, unless more of it is open.
   * Called within that commit: what must not happen before it comes later. For every other job: no effect.
   */
  readonly resume: (job: string) => void;
  /** What an agent reported or asked, for its job's log. Called within the commit. */
  readonly logWord: (job: string, attempt: number, word: LaneWord) => void;
  /** After the commit: a person has answered what the system asked. Must not throw. */
  readonly onAnswered: (item: InboxItem, choice: string) => void;
  /** After the commit: there is an accepted task without a job. May be called again for it. Must not throw. */
  readonly onAccepted: (task: InboxTask) => void;
}
