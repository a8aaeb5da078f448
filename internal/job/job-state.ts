import { AppError, assertNever } from "../base/index.ts";
import type { AgentSummary } from "./agent-events.ts";

/**
 * The life of a job.
 *
 * ```
 *            dispatch              accepted             started              finished
 *  queued ------------> dispatching -------> accepted -------> running ------------------> succeeded | failed | cancelled
 *    ^  |                  |    |                |                |
 *    |  |  undispatch      |    +----------------+----------------+-- outcome unknowable -> lost
 *    +--|------------------+        (each may also end failed: refused, interrupted, ...)
 *    |  +-- cancel --> cancelled <-- cancel --+
 *    +------ answered --------------- awaiting_answer <-- awaits -- dispatching | accepted | running
 *    +------ retry ------ failed | cancelled | lost        (a recorded decision; the next dispatch is attempt + 1)
 * ```
 *
 * `awaiting_answer` is neither active nor an end: the attempt ended by itself while a question of its agent was open. It
 * occupies nothing, for days if need be, and leaves when every such question has been answered, has expired or was put
 * away, or when somebody cancels the job.
 *
 * The three active phases carry two facts beside the phase: `reachable`, a fact about the link and not about the job,
 * and `cancelling`, the durable wish to end it, which survives every reconnect until the attempt has ended.
 *
 * `attempt` counts from 1 and is 0 only while the job has never been dispatched. `generation` is the one whose worker
 * has the attempt now; it grows when a recreated lane's worker takes an attempt over from the lane's volume.
 */
export type JobState =
  /** Committed, waits its turn. `waiting` says for what, when it is not just the turn. */
  | { readonly phase: "queued"; readonly attempt: number; readonly waiting: string | null }
  /** The attempt is on record; the worker has not confirmed yet. Whether it ever got it is open. */
  | ActiveFacts<"dispatching">
  /** The worker has it in its spool. */
  | ActiveFacts<"accepted">
  /** The process was started. */
  | ActiveFacts<"running">
  /** `result` is the attempt's; `item` the question that was open when it ended. */
  | {
      readonly phase: "awaiting_answer";
      readonly attempt: number;
      readonly item: string;
      readonly result: JobResult;
    }
  | { readonly phase: "succeeded"; readonly attempt: number; readonly result: JobResult }
  | { readonly phase: "failed"; readonly attempt: number; readonly result: JobResult; readonly error: JobError }
  | {
      readonly phase: "cancelled";
      readonly attempt: number;
      readonly result: JobResult | null;
      readonly forced: boolean;
    }
  /** The outcome cannot be known; a person or the job's own policy decides. */
  | { readonly phase: "lost"; readonly attempt: number; readonly error: JobError };

interface ActiveFacts<Phase extends string> {
  readonly phase: Phase;
  readonly attempt: number;
  readonly generation: number;
  readonly reachable: boolean;
  readonly cancelling: boolean;
}

/** A state's name. */
export type JobPhase = JobState["phase"];

/** All phases, for tests and help texts. */
export const JOB_PHASES = [
  "queued",
  "dispatching",
  "accepted",
  "running",
  "awaiting_answer",
  "succeeded",
  "failed",
  "cancelled",
  "lost",
] as const satisfies readonly JobPhase[];

/** How the process ended. */
export interface JobResult {
  readonly exitCode: number | null;
  /** Name of the signal that ended it. */
  readonly signal: string | null;
  /** The last of stderr, redacted; part of the error of a failed job. */
  readonly stderrTail: string;
  /** Output was cut at the cap. */
  readonly truncated: boolean;
  /** Of a prompt: what its agent said of the run. */
  readonly agent?: AgentSummary | undefined;
}

/** Why a job failed or is lost. */
export interface JobError {
  /**
   * Stable word: `exit`, `signal`, `deadline`, `interrupted`, `start_failed`, `refused`, `container_gone`, `spool_lost`,
   * `spool_failed`, `spool_corrupt`; of prompts `agent.<kind>`, the kinds being those of `agents/`.
   */
  readonly code: string;
  readonly message: string;
}

/** What can happen to a job. */
export type JobEvent =
  | { readonly type: "wait"; readonly reason: string | null }
  | { readonly type: "dispatch"; readonly generation: number }
  /** The worker said that it never had this attempt, and it will not be sent to it any more. */
  | { readonly type: "undispatch"; readonly reason: string }
  | { readonly type: "accepted" }
  | { readonly type: "started" }
  | { readonly type: "unreachable" }
  /** A link to the lane is open again, to a worker of this generation. */
  | { readonly type: "reachable"; readonly generation: number }
  /** Somebody wants it ended. At once while queued, else it is a wish until the attempt has ended. */
  | { readonly type: "cancel" }
  /** The attempt ended well, and a question of its agent is open. */
  | { readonly type: "awaits"; readonly item: string; readonly result: JobResult }
  /** Nothing that the agent asked is open any more. */
  | { readonly type: "answered" }
  | { readonly type: "succeeded"; readonly result: JobResult }
  | { readonly type: "failed"; readonly result: JobResult; readonly error: JobError }
  | { readonly type: "cancelled"; readonly result: JobResult | null; readonly forced: boolean }
  | { readonly type: "lost"; readonly error: JobError }
  | { readonly type: "retry" };

/** An event's name. */
export type JobEventType = JobEvent["type"];

/** A state that only a recorded retry leaves. */
export type TerminalState = Extract<JobState, { readonly phase: "succeeded" | "failed" | "cancelled" | "lost" }>;

/** A state in which an attempt is over: it has ended for good, or waits for an answer. */
export type AttemptEnd = TerminalState | AwaitingState;

/** The state of a job whose agent waits to be woken. */
type AwaitingState = Extract<JobState, { readonly phase: "awaiting_answer" }>;

/** A state in which the job occupies its lane. */
export type ActiveState = Extract<JobState, { readonly phase: "dispatching" | "accepted" | "running" }>;

/** Has the job ended? */
export function isTerminal(state: JobState): state is TerminalState {
  return (
    state.phase === "succeeded" || state.phase === "failed" || state.phase === "cancelled" || state.phase === "lost"
  );
}

/** Does the job occupy its lane? */
export function isActive(state: JobState): state is ActiveState {
  return state.phase === "dispatching" || state.phase === "accepted" || state.phase === "running";
}

/**
 * The one transition function of a job. What a worker or the link says about a job that has ended is ignored (the
 * first terminal event wins), so that replay after a disconnect is harmless; what only the host itself decides
 * (`wait`, `dispatch`, `undispatch`) is a defect there.
 * @throws internal.illegal_transition for a pair that cannot happen
 */
export function transition(state: JobState, event: JobEvent): JobState {
  if (isTerminal(state)) return fromTerminal(state, event);
  if (state.phase === "queued") return fromQueued(state, event);
  if (state.phase === "awaiting_answer") return fromAwaiting(state, event);
  return fromActive(state, event);
}

function fromQueued(state: Extract<JobState, { readonly phase: "queued" }>, event: JobEvent): JobState {
  switch (event.type) {
    case "wait":
      return { ...state, waiting: event.reason };
    case "dispatch":
      return {
        phase: "dispatching",
        attempt: state.attempt + 1,
        generation: event.generation,
        reachable: true,
        cancelling: false,
      };
    case "cancel":
      return { phase: "cancelled", attempt: state.attempt, result: null, forced: false };
    case "unreachable":
    case "reachable":
      return state;
    // A job is not on any worker while it is queued, so no worker's word can be about it.
    case "undispatch":
    case "accepted":
    case "started":
    case "awaits":
    case "answered":
    case "succeeded":
    case "failed":
    case "cancelled":
    case "lost":
    case "retry":
      return illegal(state, event);
    default:
      return assertNever(event);
  }
}

/** Its attempt has ended: what a worker says of it is of the past. */
function fromAwaiting(state: AwaitingState, event: JobEvent): JobState {
  switch (event.type) {
    case "answered":
      return { phase: "queued", attempt: state.attempt, waiting: null };
    case "cancel":
      return { phase: "cancelled", attempt: state.attempt, result: state.result, forced: false };
    case "accepted":
    case "started":
    case "unreachable":
    case "reachable":
    case "awaits":
    case "succeeded":
    case "failed":
    case "cancelled":
    case "lost":
      return state;
    case "wait":
    case "dispatch":
    case "undispatch":
    case "retry":
      return illegal(state, event);
    default:
      return assertNever(event);
  }
}

function fromActive(state: ActiveState, event: JobEvent): JobState {
  const { attempt } = state;
  switch (event.type) {
    case "undispatch":
      if (state.phase !== "dispatching") return illegal(state, event);
      // Never sent again and never started: what was to be cancelled is cancelled. Else the same attempt is still to come.
      return state.cancelling
        ? { phase: "cancelled", attempt, result: null, forced: false }
        : { phase: "queued", attempt: attempt - 1, waiting: event.reason };
    case "accepted":
      return state.phase === "dispatching" ? { ...state, phase: "accepted" } : state;
    case "started":
      return state.phase === "running" ? state : { ...state, phase: "running" };
    case "unreachable":
      return state.reachable ? { ...state, reachable: false } : state;
    case "reachable":
      return state.reachable && state.generation === event.generation
        ? state
        : { ...state, reachable: true, generation: event.generation };
    case "cancel":
      return state.cancelling ? state : { ...state, cancelling: true };
    case "awaits":
      return { phase: "awaiting_answer", attempt, item: event.item, result: event.result };
    case "succeeded":
      return { phase: "succeeded", attempt, result: event.result };
    case "failed":
      return { phase: "failed", attempt, result: event.result, error: event.error };
    case "cancelled":
      return { phase: "cancelled", attempt, result: event.result, forced: event.forced };
    case "lost":
      return { phase: "lost", attempt, error: event.error };
    case "wait":
    case "dispatch":
    case "answered":
    case "retry":
      return illegal(state, event);
    default:
      return assertNever(event);
  }
}

function fromTerminal(state: TerminalState, event: JobEvent): JobState {
  switch (event.type) {
    case "retry":
      return state.phase === "succeeded"
        ? illegal(state, event)
        : { phase: "queued", attempt: state.attempt, waiting: null };
    case "wait":
    case "dispatch":
    case "undispatch":
    case "answered":
      return illegal(state, event);
    case "accepted":
    case "started":
    case "unreachable":
    case "reachable":
    case "cancel":
    case "awaits":
    case "succeeded":
    case "failed":
    case "cancelled":
    case "lost":
      return state;
    default:
      return assertNever(event);
  }
}

function illegal(state: JobState, event: JobEvent): never {
  throw new AppError({
    code: "internal.illegal_transition",
    message: `job state ${state.phase} cannot take ${event.type}`,
    details: { state, event },
  });
}
