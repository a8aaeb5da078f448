import type { Logger } from "pino";
import type { AppError, Clock, TaskGroup } from "../base/index.ts";
import type { Job, WorkerEvent } from "../job/index.ts";
import type { LaneCause, LaneSpec } from "../lane/index.ts";
import type { HeartbeatReport } from "../protocol/index.ts";
import type { JobWriter } from "./job-writer.ts";
import type { LaneSlots } from "./lane-slot.ts";
import type { DispatchPolicy } from "./policy.ts";
import type { AttemptFiles, DispatchStore, JobQuestions, WorkResolver } from "./ports.ts";
import type { Redact } from "./redact-events.ts";

/** What {@link import("./dispatcher.ts").createDispatcher} is made from. */
export interface DispatcherDeps {
  readonly store: DispatchStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes every secret the daemon knows out of a text. */
  readonly redact: Redact;
  /** Where streams and failure reports are kept as files, too; none when left out. */
  readonly files?: AttemptFiles | undefined;
  /** What a lane's generation was created from, for failure reports. */
  readonly findSpec?: ((laneId: string, generation: number) => LaneSpec | null) | undefined;
  readonly work: WorkResolver;
  /** What agents ask; left out, none asks anything. */
  readonly questions?: JobQuestions | undefined;
  /**
   * Bytes of memory the host can give without swapping, null where it cannot be told. Quick; never throws. Left out,
   * memory keeps no job waiting.
   */
  readonly freeMemoryBytes?: (() => number | null) | undefined;
  readonly policy: DispatchPolicy;
  /** `busy` or `queued` of the lane may have changed. Must not call back into the dispatcher synchronously. */
  readonly onActivity: (laneId: string) => void;
  /**
   * The lane's link cannot go on (a defect of the worker, no answer, or nothing can be stored): close it and open
   * another one. May be called when it has gone already.
   */
  readonly dropLink: (laneId: string, error: AppError) => void;
  /**
   * The lane's worker does not carry out a cancel: end this generation's container, prove its death and say so by
   * `onLaneDead`. May be asked again. Must not call back synchronously. Left out, such a cancel waits on.
   */
  readonly endLane?: ((laneId: string, generation: number, cause: LaneCause) => void) | undefined;
}

/** How far a running job is known to have come. */
export interface JobProgress {
  /** Wall ms of the last sign of progress; null where this daemon has not seen any yet. */
  readonly lastAtMs: number | null;
  /** For how long it has done nothing, ms, once that is long enough to be told; else null. */
  readonly stuckForMs: number | null;
}

/** Watches the jobs that run: whether they get on, and whether what is to be cancelled is. */
export interface Watch {
  /** A job may have become active. Does next to nothing, and never throws. */
  wake(): void;
  /** Events of an attempt have been stored. */
  onEvents(job: Job, attempt: number, events: readonly WorkerEvent[]): void;
  /** A heartbeat of a lane's worker. One of an earlier generation does not count. Never throws. */
  onHeartbeat(laneId: string, generation: number, beats: readonly HeartbeatReport[]): void;
  /** Null for a job that does not run. Of this process alone, never stored. */
  progressOf(job: Job): JobProgress | null;
  /** How many jobs are stuck. */
  countStuck(): number;
  close(): void;
}

/** What the parts of the dispatcher share. */
export interface DispatchContext extends DispatcherDeps {
  readonly writer: JobWriter;
  readonly slots: LaneSlots;
  readonly tasks: TaskGroup;
  readonly watch: Watch;
  /** Starts the lane's next job if it may, and others for which room was made; never throws. */
  readonly pump: (laneId: string) => void;
  /** Looks again at the jobs that wait for room; never throws. */
  readonly readmit: () => void;
  /** Stores what has come in; never throws. */
  readonly flush: () => void;
}
