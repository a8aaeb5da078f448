import { AppError, assertNever, type ErrorCode } from "../base/index.ts";

/**
 * The life of a lane, as one value. Each state carries just the data that is valid in it.
 *
 * ```
 *            create            created           started           proven
 *  absent ----------> creating ------> starting ------> probing ------------> ready <--+
 *    ^                   |                |                |        adopted ->  |  |    |
 *    |                   +----- failed ---+---- failed ----+                    |  +--> unready (probe lost; back on proof)
 *    |                                    v                                     |           |
 *    |                                 backoff --- timer ---> creating          v           v
 *    |                                    |  8 in 10 min                     draining ---> stopping ---> stopped
 *    |                                    v                                                    |           |
 *    +--- reset ------------------------ failed (sticky)          removed -> absent <----------+-----------+
 *
 *  any ---- engine does not answer ----> unknown ---- engine answers ----> re-derived from what is observed
 * ```
 *
 * Invariants: `generation` only grows; `ready` means that this generation's worker proved its identity on the
 * published port and an authenticated link to it is open; a job is dispatched only in `ready`.
 */
export type LaneState =
  /** No container. Entered at the start of life and after removal. Left by `create`. */
  | { readonly phase: "absent" }
  /** The generation is on record and the create call is under way. */
  | { readonly phase: "creating"; readonly generation: number; readonly atMs: number }
  /** Created; the start call is under way. */
  | { readonly phase: "starting"; readonly generation: number; readonly containerId: string; readonly atMs: number }
  /** Started; waiting for the worker to prove itself (budget 120 s). Also the first state of an adopted container. */
  | {
      readonly phase: "probing";
      readonly generation: number;
      readonly containerId: string;
      readonly endpoint: string;
      readonly atMs: number;
    }
  /** Proven, linked, takes jobs. */
  | {
      readonly phase: "ready";
      readonly generation: number;
      readonly containerId: string;
      readonly endpoint: string;
      readonly workerPid: number;
      readonly atMs: number;
    }
  /** The process exists but does not answer; a running job keeps going; nothing new is dispatched. */
  | {
      readonly phase: "unready";
      readonly generation: number;
      readonly containerId: string;
      readonly endpoint: string;
      readonly cause: LaneCause;
      readonly atMs: number;
    }
  /** No new jobs; waits for the running one. */
  | {
      readonly phase: "draining";
      readonly generation: number;
      readonly containerId: string;
      readonly endpoint: string;
      readonly cause: LaneCause;
      readonly atMs: number;
    }
  /** Being stopped or removed; death is not proven yet. */
  | {
      readonly phase: "stopping";
      readonly generation: number;
      readonly containerId: string;
      readonly cause: LaneCause;
      readonly atMs: number;
    }
  /** Proven dead by request; the container is kept. */
  | { readonly phase: "stopped"; readonly generation: number; readonly containerId: string; readonly atMs: number }
  /** A start failed; the next one comes at `untilMs`. */
  | {
      readonly phase: "backoff";
      readonly failures: number;
      readonly untilMs: number;
      readonly cause: LaneCause;
      readonly atMs: number;
    }
  /** Sticky: needs a person, or another configuration. */
  | {
      readonly phase: "failed";
      readonly failures: number;
      readonly cause: LaneCause;
      readonly logTail: readonly string[];
      readonly atMs: number;
    }
  /** The engine does not answer; nothing is attempted. */
  | { readonly phase: "unknown"; readonly cause: LaneCause; readonly atMs: number };

/** A state's name. */
export type LanePhase = LaneState["phase"];

/** All phases, for tests and help texts. */
export const LANE_PHASES = [
  "absent",
  "creating",
  "starting",
  "probing",
  "ready",
  "unready",
  "draining",
  "stopping",
  "stopped",
  "backoff",
  "failed",
  "unknown",
] as const satisfies readonly LanePhase[];

/** Why something happened to a lane, for people and for `lane history`. */
export interface LaneCause {
  /** Stable word, as `drift`, `user_stop`, `worker_died`, `conmon_lost`, `startup_timeout`; or an error's code. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What can happen to a lane. `atMs` is wall time. */
export type LaneEvent =
  | { readonly type: "create"; readonly generation: number; readonly atMs: number }
  | { readonly type: "created"; readonly containerId: string; readonly atMs: number }
  | { readonly type: "started"; readonly endpoint: string; readonly atMs: number }
  | { readonly type: "restart"; readonly generation: number; readonly containerId: string; readonly atMs: number }
  | {
      readonly type: "adopted";
      readonly generation: number;
      readonly containerId: string;
      readonly endpoint: string;
      readonly atMs: number;
    }
  | { readonly type: "proven"; readonly workerPid: number; readonly atMs: number }
  | { readonly type: "silent"; readonly cause: LaneCause; readonly atMs: number }
  | { readonly type: "drain"; readonly cause: LaneCause; readonly atMs: number }
  | { readonly type: "undrain"; readonly workerPid: number; readonly atMs: number }
  | {
      readonly type: "stop";
      readonly generation: number;
      readonly containerId: string;
      readonly cause: LaneCause;
      readonly atMs: number;
    }
  | { readonly type: "stopped"; readonly generation: number; readonly containerId: string; readonly atMs: number }
  | { readonly type: "gone"; readonly cause: LaneCause; readonly atMs: number }
  | {
      readonly type: "retry_later";
      readonly failures: number;
      readonly untilMs: number;
      readonly cause: LaneCause;
      readonly atMs: number;
    }
  | {
      readonly type: "give_up";
      readonly failures: number;
      readonly cause: LaneCause;
      readonly logTail: readonly string[];
      readonly atMs: number;
    }
  | { readonly type: "reset"; readonly cause: LaneCause; readonly atMs: number }
  | { readonly type: "engine_lost"; readonly cause: LaneCause; readonly atMs: number }
  | { readonly type: "engine_back"; readonly atMs: number };

/** An event's name. */
export type LaneEventType = LaneEvent["type"];

/**
 * The one transition function of a lane.
 * @throws internal.illegal_transition for a pair that cannot happen: a defect, never a condition to handle
 */
export function transition(state: LaneState, event: LaneEvent): LaneState {
  switch (event.type) {
    case "create":
      return from(state, event, ["absent", "backoff"], () => ({
        phase: "creating",
        generation: event.generation,
        atMs: event.atMs,
      }));
    case "created":
      return state.phase === "creating"
        ? { phase: "starting", generation: state.generation, containerId: event.containerId, atMs: event.atMs }
        : illegal(state, event);
    case "restart":
      return from(state, event, ["stopped"], () => ({
        phase: "starting",
        generation: event.generation,
        containerId: event.containerId,
        atMs: event.atMs,
      }));
    case "started":
      return state.phase === "starting"
        ? {
            phase: "probing",
            generation: state.generation,
            containerId: state.containerId,
            endpoint: event.endpoint,
            atMs: event.atMs,
          }
        : illegal(state, event);
    case "adopted":
      return from(state, event, ["absent", "unknown"], () => ({
        phase: "probing",
        generation: event.generation,
        containerId: event.containerId,
        endpoint: event.endpoint,
        atMs: event.atMs,
      }));
    case "proven":
      return state.phase === "probing" || state.phase === "unready"
        ? {
            phase: "ready",
            generation: state.generation,
            containerId: state.containerId,
            endpoint: state.endpoint,
            workerPid: event.workerPid,
            atMs: event.atMs,
          }
        : illegal(state, event);
    case "silent":
      return state.phase === "ready" || state.phase === "draining" || state.phase === "probing"
        ? {
            phase: "unready",
            generation: state.generation,
            containerId: state.containerId,
            endpoint: state.endpoint,
            cause: event.cause,
            atMs: event.atMs,
          }
        : illegal(state, event);
    case "drain":
      return state.phase === "ready" || state.phase === "unready"
        ? {
            phase: "draining",
            generation: state.generation,
            containerId: state.containerId,
            endpoint: state.endpoint,
            cause: event.cause,
            atMs: event.atMs,
          }
        : illegal(state, event);
    case "undrain":
      return state.phase === "draining"
        ? {
            phase: "ready",
            generation: state.generation,
            containerId: state.containerId,
            endpoint: state.endpoint,
            workerPid: event.workerPid,
            atMs: event.atMs,
          }
        : illegal(state, event);
    case "stop":
      return from(
        state,
        event,
        [
          "absent",
          "creating",
          "starting",
          "probing",
          "ready",
          "unready",
          "draining",
          "stopping",
          "stopped",
          "backoff",
          "failed",
        ],
        () => ({
          phase: "stopping",
          generation: event.generation,
          containerId: event.containerId,
          cause: event.cause,
          atMs: event.atMs,
        }),
      );
    case "stopped":
      return from(state, event, ["stopping", "absent", "unknown"], () => ({
        phase: "stopped",
        generation: event.generation,
        containerId: event.containerId,
        atMs: event.atMs,
      }));
    case "gone":
      return from(
        state,
        event,
        ["creating", "starting", "probing", "ready", "unready", "draining", "stopping", "stopped"],
        () => ({
          phase: "absent",
        }),
      );
    case "retry_later":
      return from(state, event, ["absent", "creating"], () => ({
        phase: "backoff",
        failures: event.failures,
        untilMs: event.untilMs,
        cause: event.cause,
        atMs: event.atMs,
      }));
    case "give_up":
      return from(
        state,
        event,
        ["absent", "creating", "backoff", "stopped", "probing", "ready", "unready", "draining"],
        () => ({
          phase: "failed",
          failures: event.failures,
          cause: event.cause,
          logTail: event.logTail,
          atMs: event.atMs,
        }),
      );
    case "reset":
      return from(state, event, ["failed", "backoff"], () => ({ phase: "absent" }));
    case "engine_lost":
      return state.phase === "unknown"
        ? illegal(state, event)
        : { phase: "unknown", cause: event.cause, atMs: event.atMs };
    case "engine_back":
      return from(state, event, ["unknown"], () => ({ phase: "absent" }));
    default:
      return assertNever(event);
  }
}

function from(state: LaneState, event: LaneEvent, phases: readonly LanePhase[], next: () => LaneState): LaneState {
  return phases.includes(state.phase) ? next() : illegal(state, event);
}

function illegal(state: LaneState, event: LaneEvent): never {
  throw new AppError({
    code: "internal.illegal_transition",
    message: `lane state ${state.phase} cannot take ${event.type}`,
    details: { state, event },
  });
}

/** The container a state speaks of, if any. */
export function containerOf(state: LaneState): string | null {
  return "containerId" in state ? state.containerId : null;
}

/** The generation a state speaks of, if any. */
export function generationOf(state: LaneState): number | null {
  return "generation" in state ? state.generation : null;
}

/** An error as the cause of what follows. */
export function toCause(error: {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}): LaneCause {
  return error.hint === undefined
    ? { code: error.code, message: error.message }
    : { code: error.code, message: error.message, hint: error.hint };
}
