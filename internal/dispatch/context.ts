import type { Logger } from "pino";
import type { AppError, Clock, TaskGroup } from "../base/index.ts";
import type { LaneCause, LaneSpec } from "../lane/index.ts";
import type { JobWriter } from "./job-writer.ts";
import type { LaneSlots } from "./lane-slot.ts";
import type { DispatchPolicy } from "./policy.ts";
import type { AttemptFiles, DispatchStore, JobQuestions, WorkResolver } from "./ports.ts";
import type { Redact } from "./redact-events.ts";
import type { Watch } from "./watch.ts";

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
