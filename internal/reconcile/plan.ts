import type { DriftField, LaneCause, LaneState } from "../lane/index.ts";
import type { Liveness } from "./liveness.ts";
import {
  DEFAULT_PLAN_LIMITS,
  type Observed,
  type ObservedLaneContainer,
  type Plan,
  type PlanLimits,
  type PlanStep,
  type Wanted,
} from "./plan-types.ts";

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
    if (state.phase === "stopped") return NOTHING;
    // What was seen alive goes by a stop also when it is dead by now: its death is still to be told.
    const op = state.phase === "absent" ? "settle_stopped" : "stop";
    return { steps: [{ op, cause, containerId }], requeueMs: null };
  }
  if (container.owner === "stale") {
    return { steps: [{ op: "remove", cause, containerId, failure: false }], requeueMs: null };
  }
  if (seen.busy && container.liveness.kind === "alive") {
    const since = state.phase === "draining" ? nowMs - state.atMs : 0;
    // Negative when the wall clock was set back: no reason to wait longer.
    if (since >= 0 && since < limits.stopDrainMs)
      return drainFirst(container, seen, state, cause, limits.stopDrainMs - since);
  }
  return { steps: [{ op: "stop", cause, containerId }], requeueMs: null };
}

/** Waits for the running job; keeps the way to its worker open meanwhile, or its end would never be heard. */
function drainFirst(
  container: ObservedLaneContainer,
  seen: Observed,
  state: LaneState,
  cause: LaneCause,
  requeueMs: number | null,
): Plan {
  const found = planAdopt(container, state);
  if (found) return { steps: found, requeueMs: 0 };
  const drain: PlanStep[] = state.phase === "ready" || state.phase === "unready" ? [{ op: "drain", cause }] : [];
  if (seen.linked && seen.silentMs === 0) return { steps: drain, requeueMs };
  return { steps: [...drain, { op: "prove", cause }], requeueMs: requeueMs ?? DEFAULT_PLAN_LIMITS.reproveMs };
}

function planUp(wanted: Wanted, seen: Observed, state: LaneState, nowMs: number, limits: PlanLimits): Plan {
  if (state.phase === "failed") return NOTHING;
  // A wall clock that was set back ends the wait: it would last as long as the clock is behind.
  if (state.phase === "backoff" && nowMs >= state.atMs && nowMs < state.untilMs)
    return { steps: [], requeueMs: state.untilMs - nowMs };
  const container = seen.container;
  if (!container) return planCreate(wanted, { code: "wanted", message: "the lane is wanted up and has no container" });
  const containerId = container.inspect.id;
  if (container.owner === "stale") {
    const cause = { code: "stale_generation", message: "left over from an earlier generation" };
    return replace(wanted, containerId, cause);
  }
  if (state.phase === "stopping") {
    // Its end was begun and cut off.
    const { cause } = state;
    return { steps: [{ op: "remove", cause, containerId, failure: isFailure(cause) }], requeueMs: 0 };
  }
  if (wanted.request?.kind === "end" && container.liveness.kind !== "dead") {
    return { steps: [{ op: "remove", cause: wanted.request.cause, containerId, failure: true }], requeueMs: 0 };
  }
  switch (container.liveness.kind) {
    case "dead":
      return planDead(wanted, container, container.liveness, state);
    case "limbo": {
      // Someone else is ending it, and its worker is not through: its link will tell.
      if (seen.linked && seen.silentMs === 0) return { steps: [], requeueMs: limits.reproveMs };
      if (seen.limboMs < limits.settleMs) return { steps: [], requeueMs: 50 };
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
    case "orphaned":
    case "alive":
      return planAlive(wanted, container, seen, state, limits);
  }
}

/** Ends of a container that are no failure of the lane, beside a person's. */
const WANTED_ENDS: ReadonlySet<string> = new Set([
  "stale_generation",
  "found_running",
  "conmon_lost",
  "drift",
  "port_lost",
]);

/** Does a container that ends for this cause count as a failure of its lane? */
export function isFailure(cause: LaneCause): boolean {
  return !WANTED_ENDS.has(cause.code) && !cause.code.startsWith("user_");
}

function planCreate(wanted: Wanted, cause: LaneCause): Plan {
  if (wanted.spec.kind === "error") {
    return { steps: [{ op: "fail", cause: wanted.spec.cause, terminal: true }], requeueMs: null };
  }
  if (wanted.spec.kind === "unbuilt") return makeImage(wanted.spec);
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

function makeImage({ cause, image }: Extract<Wanted["spec"], { readonly kind: "unbuilt" }>): Plan {
  return { steps: [{ op: "make_image", cause, image }], requeueMs: null };
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
    if (wanted.spec.kind === "unbuilt") return makeImage(wanted.spec);
    if (wanted.request) return replace(wanted, containerId, wanted.request.cause);
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
  // What was only created was cut off, by the daemon's end or the engine's; a start that did not take is a failure.
  const failure = liveness.everStarted || state.phase === "starting";
  return { steps: [{ op: "remove", cause: deathCause(liveness), containerId, failure }], requeueMs: 0 };
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
  const change = planChange(wanted, container, seen, state);
  const isHeld = change?.steps.some((step) => step.op === "hold" || step.op === "make_image") ?? false;
  const isReplaced = change?.steps.some((step) => step.op === "remove") ?? false;
  const isHung = seen.silentMs >= limits.hungMs && "endpoint" in state;
  if (change && !isHeld && (isReplaced || !isHung)) return change;
  if (container.endpoint === null) {
    return replaceWhenIdle(
      wanted,
      container,
      seen,
      state,
      { code: "port_lost", message: "no port is published" },
      true,
    );
  }
  if (isHung) {
    const cause = { code: "hung", message: `the worker has not answered for ${Math.round(seen.silentMs / 1000)} s` };
    return { steps: [{ op: "remove", cause, containerId, failure: true }], requeueMs: 0 };
  }
  const kept = planKept(wanted, container, seen, state, limits);
  return isHeld && change ? { ...kept, steps: [...change.steps, ...kept.steps] } : kept;
}

/** The container stays as it is: what is to be done so that its worker is linked and takes jobs. */
function planKept(
  wanted: Wanted,
  container: ObservedLaneContainer,
  seen: Observed,
  state: LaneState,
  limits: PlanLimits,
): Plan {
  const found = planAdopt(container, state);
  if (found) return { steps: found, requeueMs: null };
  if (state.phase === "starting") {
    // The start call was cut off, yet the container runs.
    const cause = { code: "start_resumed", message: "found running after its start call was cut off" };
    return {
      steps: [
        { op: "start", cause },
        { op: "prove", cause },
      ],
      requeueMs: null,
    };
  }
  if (!("endpoint" in state)) {
    const cause = { code: "found_running", message: "found running although it was not started by us" };
    return replace(wanted, container.inspect.id, cause);
  }
  if (state.phase === "draining" && seen.linked) {
    const cause = { code: "drift_gone", message: "nothing is left to drain for" };
    return { steps: [{ op: "undrain", cause }], requeueMs: 0 };
  }
  if (seen.linked && seen.silentMs === 0) {
    const cause = { code: "answering", message: "the worker answers again" };
    return state.phase === "unready" || state.phase === "probing"
      ? { steps: [{ op: "prove", cause }], requeueMs: null }
      : NOTHING;
  }
  const cause = { code: "silent", message: "the worker does not answer; asking again" };
  return { steps: [{ op: "prove", cause }], requeueMs: limits.reproveMs };
}

/** A running container that no state speaks of is taken up; null where one does. */
function planAdopt(container: ObservedLaneContainer, state: LaneState): readonly PlanStep[] | null {
  const { endpoint, inspect } = container;
  if (endpoint === null || (state.phase !== "absent" && state.phase !== "unknown")) return null;
  const cause = { code: "adopted", message: "found running, with our install id, generation and fingerprint" };
  return [
    { op: "adopt", cause, containerId: inspect.id, endpoint },
    { op: "prove", cause },
  ];
}

/** Why a running container is to be another one: by request, for want of its monitor, by drift. Null: it is not. */
function planChange(wanted: Wanted, container: ObservedLaneContainer, seen: Observed, state: LaneState): Plan | null {
  const { request } = wanted;
  // Nothing may replace it before there is something to replace it by.
  if (wanted.spec.kind === "unbuilt") return makeImage(wanted.spec);
  if (request) return replaceWhenIdle(wanted, container, seen, state, request.cause, request.now);
  if (container.liveness.kind === "orphaned") {
    const cause = {
      code: "conmon_lost",
      message: "the container's monitor process is dead: its end would never be seen",
    };
    return replaceWhenIdle(wanted, container, seen, state, cause, false);
  }
  const drift = [...container.specDrift, ...container.handDrift];
  if (drift.length === 0) return null;
  const cause = driftCause(drift);
  if (wanted.driftPolicy === "hold") return { steps: [{ op: "hold", cause, fields: drift }], requeueMs: null };
  return replaceWhenIdle(wanted, container, seen, state, cause, wanted.driftPolicy === "now");
}

function replaceWhenIdle(
  wanted: Wanted,
  container: ObservedLaneContainer,
  seen: Observed,
  state: LaneState,
  cause: LaneCause,
  now: boolean,
): Plan {
  // A spec that cannot be built must not cost a lane that still works.
  if (wanted.spec.kind === "error")
    return { steps: [{ op: "hold", cause: wanted.spec.cause, fields: [] }], requeueMs: null };
  if (seen.busy && !now) return drainFirst(container, seen, state, cause, null);
  return replace(wanted, container.inspect.id, cause);
}

/** Drift in one line: the first fields by name. */
export function driftCause(drift: readonly DriftField[]): LaneCause {
  const names = drift.slice(0, 3).map((field) => `${field.part}.${field.field}`);
  const more = drift.length > names.length ? ` and ${drift.length - names.length} more` : "";
  return { code: "drift", message: `configuration drifted: ${names.join(", ")}${more}` };
}
