import { describe, expect, it } from "vitest";
import { fingerprintOf } from "../fingerprint/index.ts";
import { derivedImageOf, type LaneState } from "../lane/index.ts";
import { type Observed, type ObservedLaneContainer, planLane, renderPlan, type Wanted } from "./index.ts";
import { testContainer, testSpec } from "./testing.ts";

const spec = testSpec();
const fingerprint = fingerprintOf(spec);
const cause = { code: "x", message: "x" };
const at = { containerId: "c".repeat(64), endpoint: "http://127.0.0.1:40000", generation: 3, atMs: 0 };
const READY: LaneState = { phase: "ready", workerPid: 2, ...at };
const ABSENT: LaneState = { phase: "absent" };
const image = derivedImageOf("abcd1234", spec.image.id, { apt: ["tree"], npm: [] });
const UNBUILT = { kind: "unbuilt", image, cause } as const;
const drift = [{ part: "env" as const, field: "A", was: "1", is: "2" }];

function wanted(change: Partial<Wanted> = {}): Wanted {
  return {
    desired: "up",
    spec: { kind: "ok", spec, fingerprint },
    driftPolicy: "when-idle",
    request: null,
    generation: 3,
    ...change,
  };
}

function container(change: Partial<ObservedLaneContainer> = {}): ObservedLaneContainer {
  return {
    inspect: testContainer(spec),
    owner: "ours",
    liveness: { kind: "alive" },
    specDrift: [],
    handDrift: [],
    endpoint: at.endpoint,
    ...change,
  };
}

function seen(change: Partial<Observed> = {}): Observed {
  return { container: container(), busy: false, linked: true, silentMs: 0, limboMs: 0, ...change };
}

const died = { kind: "dead", exitCode: 137, oomKilled: false, everStarted: true } as const;

describe("plan", () => {
  const ops = (w: Wanted, s: Observed, state: LaneState, nowMs = 0): string =>
    planLane(w, s, state, nowMs)
      .steps.map((step) => step.op)
      .join(" ");

  it.each<[string, Wanted, Observed, LaneState, string]>([
    ["creates what is not there", wanted(), seen({ container: null, linked: false }), ABSENT, "create start prove"],
    ["leaves a ready lane alone", wanted(), seen(), READY, ""],
    ["adopts what runs and matches", wanted(), seen({ linked: false, silentMs: 5 }), ABSENT, "adopt prove"],
    [
      "asks a silent worker again",
      wanted(),
      seen({ linked: false, silentMs: 5000 }),
      { phase: "unready", cause, ...at },
      "prove",
    ],
    [
      "replaces a hung worker",
      wanted(),
      seen({ linked: false, silentMs: 60_000 }),
      { phase: "unready", cause, ...at },
      "remove",
    ],
    [
      "ends a lane at work by force, also where no other can be made",
      wanted({ request: { kind: "end", now: true, cause }, spec: { kind: "error", cause } }),
      seen({ busy: true }),
      READY,
      "remove",
    ],
    [
      "replaces after a death, never a bare start",
      wanted(),
      seen({ container: container({ liveness: died }), linked: false }),
      READY,
      "remove",
    ],
    [
      "starts a clean stop again",
      wanted(),
      seen({ container: container({ liveness: died }), linked: false }),
      { phase: "stopped", ...at },
      "restart start prove",
    ],
    [
      "recreates a drifted stop",
      wanted(),
      seen({ container: container({ liveness: died, specDrift: drift }), linked: false }),
      { phase: "stopped", ...at },
      "remove create start prove",
    ],
    [
      "recreates an idle drifted lane",
      wanted(),
      seen({ container: container({ specDrift: drift }) }),
      READY,
      "remove create start prove",
    ],
    [
      "recreates what a hand has changed",
      wanted(),
      seen({ container: container({ handDrift: drift }) }),
      READY,
      "remove create start prove",
    ],
    [
      "drains a busy drifted lane",
      wanted(),
      seen({ container: container({ specDrift: drift }), busy: true }),
      READY,
      "drain",
    ],
    [
      "keeps draining without repeating itself",
      wanted(),
      seen({ container: container({ specDrift: drift }), busy: true }),
      { phase: "draining", cause, ...at },
      "",
    ],
    [
      "reaches for a draining lane's worker when its link broke",
      wanted(),
      seen({ container: container({ specDrift: drift }), busy: true, linked: false, silentMs: 1 }),
      { phase: "draining", cause, ...at },
      "prove",
    ],
    [
      "holds drift when told to",
      wanted({ driftPolicy: "hold" }),
      seen({ container: container({ specDrift: drift }) }),
      READY,
      "hold",
    ],
    [
      "does not wait with policy now",
      wanted({ driftPolicy: "now" }),
      seen({ container: container({ specDrift: drift }), busy: true }),
      READY,
      "remove create start prove",
    ],
    [
      "keeps a working lane when its new spec cannot be built",
      wanted({ spec: { kind: "error", cause } }),
      seen({ container: container({ handDrift: drift }) }),
      READY,
      "hold",
    ],
    [
      "fails when there is nothing and nothing can be built",
      wanted({ spec: { kind: "error", cause } }),
      seen({ container: null }),
      ABSENT,
      "fail",
    ],
    [
      "makes its image first when there is nothing",
      wanted({ spec: UNBUILT }),
      seen({ container: null }),
      ABSENT,
      "make_image",
    ],
    [
      "keeps what runs while its image is made, also against a request",
      wanted({ spec: UNBUILT, request: { kind: "recreate", now: true, cause } }),
      seen({ container: container({ handDrift: drift }) }),
      READY,
      "make_image",
    ],
    [
      "takes up what runs while its image is made",
      wanted({ spec: UNBUILT }),
      seen({ linked: false }),
      ABSENT,
      "make_image adopt prove",
    ],
    [
      "starts no stopped container in place of the one with the packages",
      wanted({ spec: UNBUILT }),
      seen({ container: container({ liveness: died }), linked: false }),
      { phase: "stopped", ...at },
      "make_image",
    ],
    [
      "stops a lane although its image is being made",
      wanted({ spec: UNBUILT, desired: "stopped" }),
      seen(),
      READY,
      "stop",
    ],
    ["touches nothing foreign", wanted(), seen({ container: container({ owner: "foreign" }) }), ABSENT, "fail"],
    [
      "replaces an older generation",
      wanted(),
      seen({ container: container({ owner: "stale" }) }),
      ABSENT,
      "remove create start prove",
    ],
    ["unpauses", wanted(), seen({ container: container({ liveness: { kind: "paused" } }) }), READY, "unpause"],
    [
      "replaces an idle lane without its monitor",
      wanted(),
      seen({ container: container({ liveness: { kind: "orphaned" } }) }),
      READY,
      "remove create start prove",
    ],
    [
      "drains a busy lane without its monitor",
      wanted(),
      seen({ container: container({ liveness: { kind: "orphaned" } }), busy: true }),
      READY,
      "drain",
    ],
    [
      "waits for proof of death",
      wanted(),
      seen({ container: container({ liveness: { kind: "limbo", status: "stopping" } }), silentMs: 3000, limboMs: 100 }),
      READY,
      "",
    ],
    [
      "leaves it to others to end what still answers",
      wanted(),
      seen({ container: container({ liveness: { kind: "limbo", status: "stopping" } }), limboMs: 3000 }),
      READY,
      "",
    ],
    [
      "removes what stays without proof",
      wanted(),
      seen({
        container: container({ liveness: { kind: "limbo", status: "stopping" } }),
        silentMs: 3000,
        limboMs: 3000,
      }),
      READY,
      "remove",
    ],
    [
      "does nothing while failed",
      wanted(),
      seen({ container: null }),
      { phase: "failed", failures: 8, cause, logTail: [], atMs: 0 },
      "",
    ],
    [
      "waits out its backoff",
      wanted(),
      seen({ container: null }),
      { phase: "backoff", failures: 1, untilMs: 10, cause, atMs: 0 },
      "",
    ],
    [
      "waits no longer for a wall clock that was set back",
      wanted(),
      seen({ container: null }),
      { phase: "backoff", failures: 1, untilMs: 9_000_000, cause, atMs: 8_999_000 },
      "create start prove",
    ],
    [
      "finishes an end that was cut off",
      wanted(),
      seen(),
      { phase: "stopping", generation: 3, containerId: at.containerId, cause, atMs: 0 },
      "remove",
    ],
    [
      "takes up a running job before it drains for drift",
      wanted(),
      seen({ container: container({ specDrift: drift }), busy: true, linked: false, silentMs: 1 }),
      ABSENT,
      "adopt prove",
    ],
    [
      "replaces a hung worker also while it drains",
      wanted(),
      seen({ container: container({ specDrift: drift }), busy: true, linked: false, silentMs: 60_000 }),
      { phase: "draining", cause, ...at },
      "remove",
    ],
    [
      "takes jobs again when what it drained for is held",
      wanted({ driftPolicy: "hold" }),
      seen({ container: container({ specDrift: drift }) }),
      { phase: "draining", cause, ...at },
      "hold undrain",
    ],
    [
      "asks a silent worker again although a request cannot be carried out",
      wanted({ request: { kind: "restart", now: false, cause }, spec: { kind: "error", cause } }),
      seen({ linked: false, silentMs: 1 }),
      { phase: "unready", cause, ...at },
      "hold prove",
    ],
    [
      "makes a stopped lane anew by request",
      wanted({ request: { kind: "recreate", now: false, cause } }),
      seen({ container: container({ liveness: died }), linked: false }),
      { phase: "stopped", ...at },
      "remove create start prove",
    ],
    [
      "replaces what someone else has started",
      wanted(),
      seen({ linked: false, silentMs: 1 }),
      { phase: "stopped", generation: 3, containerId: at.containerId, atMs: 0 },
      "remove create start prove",
    ],
    ["stops an idle lane", wanted({ desired: "stopped" }), seen(), READY, "stop"],
    [
      "stops what died before it could be stopped, so that its death is told",
      wanted({ desired: "stopped" }),
      seen({ container: container({ liveness: died }), busy: true }),
      { phase: "draining", cause, ...at },
      "stop",
    ],
    ["drains a busy lane before a stop", wanted({ desired: "stopped" }), seen({ busy: true }), READY, "drain"],
    [
      "records what is down already",
      wanted({ desired: "stopped" }),
      seen({ container: container({ liveness: died }) }),
      ABSENT,
      "settle_stopped",
    ],
    ["removes everything of a lane that goes", wanted({ desired: "gone" }), seen(), READY, "remove dispose"],
    [
      "never removes a foreign container, even when the lane goes",
      wanted({ desired: "gone" }),
      seen({ container: container({ owner: "foreign" }) }),
      ABSENT,
      "dispose",
    ],
    [
      "restarts by request when idle",
      wanted({ request: { kind: "restart", now: false, cause } }),
      seen(),
      READY,
      "remove create start prove",
    ],
    [
      "a request waits for the running job",
      wanted({ request: { kind: "recreate", now: false, cause } }),
      seen({ busy: true }),
      READY,
      "drain",
    ],
    [
      "a request with now does not",
      wanted({ request: { kind: "recreate", now: true, cause } }),
      seen({ busy: true }),
      READY,
      "remove create start prove",
    ],
    [
      "takes up a start that was cut off",
      wanted(),
      seen({ linked: false, silentMs: 1 }),
      { phase: "starting", generation: 3, containerId: at.containerId, atMs: 0 },
      "start prove",
    ],
    [
      "takes jobs again when there is nothing left to drain for",
      wanted(),
      seen(),
      { phase: "draining", cause, ...at },
      "undrain",
    ],
  ])("%s", (_name, w, s, state, expected) => expect(ops(w, s, state)).toBe(expected));

  it("gives a person's stop 30 s for the running job, then stops", () => {
    const draining: LaneState = { phase: "draining", cause, ...at };
    expect(ops(wanted({ desired: "stopped" }), seen({ busy: true }), draining, 29_000)).toBe("");
    expect(ops(wanted({ desired: "stopped" }), seen({ busy: true }), draining, 30_000)).toBe("stop");
  });

  it("counts what ends a container, but for what was wanted", () => {
    const failure = (change: Partial<ObservedLaneContainer>, state: LaneState) =>
      planLane(wanted(), seen({ container: container(change), linked: false, silentMs: 1 }), state, 0).steps.map(
        (step) => step.op === "remove" && step.failure,
      );
    const created = { kind: "dead", exitCode: null, oomKilled: false, everStarted: false } as const;
    const stopping = (code: string): LaneState => ({
      phase: "stopping",
      generation: 3,
      containerId: at.containerId,
      cause: { code, message: "" },
      atMs: 0,
    });
    expect(failure({ liveness: died }, READY)).toEqual([true]);
    expect(failure({ liveness: created }, ABSENT)).toEqual([false]);
    expect(failure({ liveness: created }, { phase: "starting", generation: 3, containerId: "c", atMs: 0 })).toEqual([
      true,
    ]);
    expect(failure({}, stopping("worker.probe_timeout"))).toEqual([true]);
    for (const code of ["user_restart", "drift", "conmon_lost", "stale_generation"])
      expect(failure({}, stopping(code))).toEqual([false]);
  });

  it("prints one line per step with its cause", () => {
    expect(renderPlan(planLane(wanted(), seen({ container: container({ specDrift: drift }) }), READY, 0))).toBe(
      [
        "remove container cccccccccccc (drift: configuration drifted: env.A)",
        `create container ${fingerprint.whole.slice(0, 12)} of image aaaaaaaaaaaa (drift: configuration drifted: env.A)`,
        "start container (drift: configuration drifted: env.A)",
        "wait for the worker's proof (drift: configuration drifted: env.A)",
      ].join("\n"),
    );
  });
});
