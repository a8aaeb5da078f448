import type { Fingerprint } from "../fingerprint/index.ts";
import type {
  Desired,
  DriftField,
  DriftPolicy,
  LaneCause,
  LaneSpec,
  LaneState,
  ObservedContainer,
} from "../lane/index.ts";
import type { Liveness } from "./liveness.ts";

/** What is wanted of a lane, fresh from its record and its configuration. */
export interface Wanted {
  readonly desired: Desired;
  /** The spec a new container would get, or why there can be none. */
  readonly spec:
    | { readonly kind: "ok"; readonly spec: LaneSpec; readonly fingerprint: Fingerprint }
    | { readonly kind: "error"; readonly cause: LaneCause };
  readonly driftPolicy: DriftPolicy;
  /** A person's standing request, done away with once carried out. */
  readonly request: LaneRequest | null;
  /** The last generation given out. */
  readonly generation: number;
}

/** What a person asked for beyond "up" or "stopped". */
export interface LaneRequest {
  readonly kind: "restart" | "recreate";
  /** Do not wait for the running job. */
  readonly now: boolean;
  readonly cause: LaneCause;
}

/** What was seen of a lane just now. */
export interface Observed {
  readonly container: ObservedLaneContainer | null;
  /** A job occupies the lane. */
  readonly busy: boolean;
  /** The authenticated link of this container's generation is open. */
  readonly linked: boolean;
  /** How long the worker has been silent, ms; 0 while linked and answering. */
  readonly silentMs: number;
}

/** A container of the lane's name. */
export interface ObservedLaneContainer {
  readonly inspect: ObservedContainer;
  /** `ours`: our labels, the present generation, a spec on record. `stale`: ours, but older or without a record. */
  readonly owner: "ours" | "stale" | "foreign";
  readonly liveness: Liveness;
  /** Wanted against the spec on record. */
  readonly specDrift: readonly DriftField[];
  /** The container against the spec on record: changed by hand. */
  readonly handDrift: readonly DriftField[];
  /** `http://127.0.0.1:PORT`, null when nothing is published. */
  readonly endpoint: string | null;
}

/** One step, with its cause. Destructive ones end a container. */
export type PlanStep =
  | { readonly op: "create"; readonly cause: LaneCause; readonly spec: LaneSpec; readonly fingerprint: Fingerprint }
  | { readonly op: "start"; readonly cause: LaneCause }
  | { readonly op: "prove"; readonly cause: LaneCause }
  | { readonly op: "adopt"; readonly cause: LaneCause; readonly containerId: string; readonly endpoint: string }
  | { readonly op: "restart"; readonly cause: LaneCause; readonly containerId: string; readonly endpoint: string }
  | { readonly op: "unpause"; readonly cause: LaneCause; readonly containerId: string }
  | { readonly op: "drain"; readonly cause: LaneCause }
  | { readonly op: "undrain"; readonly cause: LaneCause }
  | { readonly op: "hold"; readonly cause: LaneCause; readonly fields: readonly DriftField[] }
  | { readonly op: "stop"; readonly cause: LaneCause; readonly containerId: string }
  | { readonly op: "settle_stopped"; readonly cause: LaneCause; readonly containerId: string }
  | { readonly op: "remove"; readonly cause: LaneCause; readonly containerId: string; readonly failure: boolean }
  | { readonly op: "fail"; readonly cause: LaneCause; readonly terminal: boolean }
  | { readonly op: "dispose"; readonly cause: LaneCause };

/** What is to be done, in order; and when to look again although nothing happens, ms. */
export interface Plan {
  readonly steps: readonly PlanStep[];
  readonly requeueMs: number | null;
}

/** Time limits the planner knows. */
export interface PlanLimits {
  /** Without readiness and without a heartbeat for so long, a worker is hung. */
  readonly hungMs: number;
  /** How often an unproven worker is asked again, ms. */
  readonly reproveMs: number;
  /** A person's stop waits so long for the running job. */
  readonly stopDrainMs: number;
  /** A status without proof of death gets so long to become one or the other (pitfalls P9, P11). */
  readonly settleMs: number;
}

export const DEFAULT_PLAN_LIMITS: PlanLimits = { hungMs: 60_000, reproveMs: 1000, stopDrainMs: 30_000, settleMs: 2000 };

const NOTHING: Plan = { steps: [], requeueMs: null };

/** Decides what to do with a lane. Pure: no clock, no I/O, no randomness but what is passed in. */
export function planLane(
  wanted: Wanted,
  seen: Observed,
  state: LaneState,
  nowMs: number,
  limits: PlanLimits = DEFAULT_PLAN_LIMITS,
): Plan {
  if (wanted.desired === "gone") return planGone(seen);
  if (seen.container?.owner === "foreign") return refuseForeign(seen.container, state);
  if (wanted.desired === "stopped") return planStopped(seen, state, nowMs, limits);
  return planUp(wanted, seen, state, nowMs, limits);
}

function refuseForeign(container: ObservedLaneContainer, state: LaneState): Plan {
  if (state.phase === "failed") return NOTHING;
  const cause: LaneCause = {
    code: "lane.foreign_container",
    message: `a container named ${container.inspect.name} exists that is not of this installation`,
    hint: `rename or remove it (podman rm ${container.inspect.name}), then: lane start`,
  };
  return { steps: [{ op: "fail", cause, terminal: true }], requeueMs: null };
}

function planGone(seen: Observed): Plan {
  const cause: LaneCause = { code: "user_remove", message: "the lane is being removed" };
  const mine = seen.container?.owner !== "foreign";
  const remove: PlanStep[] =
    seen.container && mine ? [{ op: "remove", cause, containerId: seen.container.inspect.id, failure: false }] : [];
  return { steps: [...remove, { op: "dispose", cause }], requeueMs: null };
}

function planStopped(seen: Observed, state: LaneState, nowMs: number, limits: PlanLimits): Plan {
  const cause: LaneCause = { code: "user_stop", message: "stopped by request" };
  const container = seen.container;
  if (!container) return NOTHING;
  const containerId = container.inspect.id;
  if (container.liveness.kind === "dead") {
    return state.phase === "stopped"
      ? NOTHING
      : { steps: [{ op: "settle_stopped", cause, containerId }], requeueMs: null };
  }
  if (container.owner === "stale") {
    return { steps: [{ op: "remove", cause, containerId, failure: false }], requeueMs: null };
  }
  if (seen.busy && container.liveness.kind === "alive") {
    const since = state.phase === "draining" ? nowMs - state.atMs : 0;
    if (since < limits.stopDrainMs) return drainFirst(seen, state, cause, limits.stopDrainMs - since);
  }
  return { steps: [{ op: "stop", cause, containerId }], requeueMs: null };
}

/** Waits for the running job; keeps the way to its worker open meanwhile, or its end would never be heard. */
function drainFirst(seen: Observed, state: LaneState, cause: LaneCause, requeueMs: number | null): Plan {
  const drain: PlanStep[] = state.phase === "ready" || state.phase === "unready" ? [{ op: "drain", cause }] : [];
  if (seen.linked) return { steps: drain, requeueMs };
  return { steps: [...drain, { op: "prove", cause }], requeueMs: requeueMs ?? DEFAULT_PLAN_LIMITS.reproveMs };
}

function planUp(wanted: Wanted, seen: Observed, state: LaneState, nowMs: number, limits: PlanLimits): Plan {
  if (state.phase === "failed") return NOTHING;
  if (state.phase === "backoff" && nowMs < state.untilMs) return { steps: [], requeueMs: state.untilMs - nowMs };
  const container = seen.container;
  if (!container) return planCreate(wanted, { code: "wanted", message: "the lane is wanted up and has no container" });
  const containerId = container.inspect.id;
  if (container.owner === "stale") {
    const cause = { code: "stale_generation", message: "left over from an earlier generation" };
    return replace(wanted, containerId, cause);
  }
  switch (container.liveness.kind) {
    case "dead":
      return planDead(wanted, container, container.liveness, state);
    case "limbo": {
      if (seen.silentMs < limits.settleMs) return { steps: [], requeueMs: 50 };
      const cause = {
        code: "limbo",
        message: `the container says "${container.liveness.status}" without proof of death`,
      };
      return { steps: [{ op: "remove", cause, containerId, failure: true }], requeueMs: 0 };
    }
    case "paused": {
      const cause = { code: "paused", message: "the container was paused from outside" };
      return { steps: [{ op: "unpause", cause, containerId }], requeueMs: 0 };
    }
    case "orphaned": {
      const cause = {
        code: "conmon_lost",
        message: "the container's monitor process is dead: its end would never be seen",
      };
      return seen.busy ? drainFirst(seen, state, cause, null) : replace(wanted, containerId, cause);
    }
    case "alive":
      return planAlive(wanted, container, seen, state, limits);
  }
}

function planCreate(wanted: Wanted, cause: LaneCause): Plan {
  if (wanted.spec.kind === "error") {
    return { steps: [{ op: "fail", cause: wanted.spec.cause, terminal: true }], requeueMs: null };
  }
  const { spec, fingerprint } = wanted.spec;
  return {
    steps: [
      { op: "create", cause, spec, fingerprint },
      { op: "start", cause },
      { op: "prove", cause },
    ],
    requeueMs: null,
  };
}

function replace(wanted: Wanted, containerId: string, cause: LaneCause): Plan {
  const create = planCreate(wanted, cause);
  return {
    steps: [{ op: "remove", cause, containerId, failure: false }, ...create.steps],
    requeueMs: create.requeueMs,
  };
}

/** Dead though wanted: a clean stop with an unchanged spec is started again, everything else is made anew. */
function planDead(
  wanted: Wanted,
  container: ObservedLaneContainer,
  liveness: Extract<Liveness, { readonly kind: "dead" }>,
  state: LaneState,
): Plan {
  const containerId = container.inspect.id;
  if (state.phase === "stopped") {
    const drift = [...container.specDrift, ...container.handDrift];
    if (drift.length > 0) return replace(wanted, containerId, driftCause(drift));
    const cause = { code: "user_start", message: "started by request; unchanged since it was stopped" };
    const endpoint = container.endpoint;
    if (endpoint === null || wanted.spec.kind === "error") return replace(wanted, containerId, cause);
    return {
      steps: [
        { op: "restart", cause, containerId, endpoint },
        { op: "start", cause },
        { op: "prove", cause },
      ],
      requeueMs: null,
    };
  }
  return { steps: [{ op: "remove", cause: deathCause(liveness), containerId, failure: true }], requeueMs: 0 };
}

/** A death in words. */
export function deathCause(liveness: Extract<Liveness, { readonly kind: "dead" }>): LaneCause {
  if (!liveness.everStarted) return { code: "never_started", message: "the container was created but never started" };
  if (liveness.oomKilled) {
    return {
      code: "out_of_memory",
      message: "the container ran out of memory",
      hint: "raise it: lane set <lane> limits.memory=4g",
    };
  }
  const code = liveness.exitCode;
  return {
    code: "worker_died",
    message: code === null ? "the worker's container ended" : `the worker's container ended with exit code ${code}`,
  };
}

function planAlive(
  wanted: Wanted,
  container: ObservedLaneContainer,
  seen: Observed,
  state: LaneState,
  limits: PlanLimits,
): Plan {
  const containerId = container.inspect.id;
  const request = wanted.request;
  if (request) return replaceWhenIdle(wanted, containerId, seen, state, request.cause, request.now);
  const drift = [...container.specDrift, ...container.handDrift];
  const drifted = drift.length > 0 ? planDrift(wanted, container, drift, seen, state) : null;
  if (drifted && !drifted.steps.some((step) => step.op === "hold")) return drifted;
  if (container.endpoint === null) {
    return replaceWhenIdle(
      wanted,
      containerId,
      seen,
      state,
      { code: "port_lost", message: "no port is published" },
      true,
    );
  }
  const held = drifted?.steps ?? [];
  if (state.phase === "absent" || state.phase === "unknown") {
    const cause = { code: "adopted", message: "found running, with our install id, generation and fingerprint" };
    return {
      steps: [...held, { op: "adopt", cause, containerId, endpoint: container.endpoint }, { op: "prove", cause }],
      requeueMs: null,
    };
  }
  if (state.phase === "starting") {
    // The start call was cut off, yet the container runs.
    const cause = { code: "start_resumed", message: "found running after its start call was cut off" };
    return { steps: [...held, { op: "start", cause }, { op: "prove", cause }], requeueMs: null };
  }
  if (state.phase === "draining" && seen.linked && drift.length === 0) {
    return {
      steps: [{ op: "undrain", cause: { code: "drift_gone", message: "nothing is left to drain for" } }],
      requeueMs: 0,
    };
  }
  if (seen.linked && seen.silentMs === 0) {
    return state.phase === "unready" || state.phase === "probing"
      ? {
          steps: [...held, { op: "prove", cause: { code: "answering", message: "the worker answers again" } }],
          requeueMs: null,
        }
      : { steps: held, requeueMs: null };
  }
  if (seen.silentMs >= limits.hungMs) {
    const cause = { code: "hung", message: `the worker has not answered for ${Math.round(seen.silentMs / 1000)} s` };
    return { steps: [{ op: "remove", cause, containerId, failure: true }], requeueMs: 0 };
  }
  const cause = { code: "silent", message: "the worker does not answer; asking again" };
  return { steps: [...held, { op: "prove", cause }], requeueMs: limits.reproveMs };
}

function planDrift(
  wanted: Wanted,
  container: ObservedLaneContainer,
  drift: readonly DriftField[],
  seen: Observed,
  state: LaneState,
): Plan {
  const cause = driftCause(drift);
  if (wanted.driftPolicy === "hold") return { steps: [{ op: "hold", cause, fields: drift }], requeueMs: null };
  return replaceWhenIdle(wanted, container.inspect.id, seen, state, cause, wanted.driftPolicy === "now");
}

function replaceWhenIdle(
  wanted: Wanted,
  containerId: string,
  seen: Observed,
  state: LaneState,
  cause: LaneCause,
  now: boolean,
): Plan {
  // A spec that cannot be built must not cost a lane that still works.
  if (wanted.spec.kind === "error")
    return { steps: [{ op: "hold", cause: wanted.spec.cause, fields: [] }], requeueMs: null };
  if (seen.busy && !now) return drainFirst(seen, state, cause, null);
  return replace(wanted, containerId, cause);
}

/** Drift in one line: the first fields by name. */
export function driftCause(drift: readonly DriftField[]): LaneCause {
  const names = drift.slice(0, 3).map((field) => `${field.part}.${field.field}`);
  const more = drift.length > names.length ? ` and ${drift.length - names.length} more` : "";
  return { code: "drift", message: `configuration drifted: ${names.join(", ")}${more}` };
}
