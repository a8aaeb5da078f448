import { describe, expect, it } from "vitest";
import {
  LANE_PHASES,
  type LaneEvent,
  type LaneEventType,
  type LanePhase,
  type LaneState,
  transition,
} from "./index.ts";

const cause = { code: "x", message: "x" };
const at = { containerId: "c", endpoint: "http://127.0.0.1:1", generation: 2, atMs: 1 };

const STATES: Record<LanePhase, LaneState> = {
  absent: { phase: "absent" },
  creating: { phase: "creating", generation: 2, atMs: 1 },
  starting: { phase: "starting", generation: 2, containerId: "c", atMs: 1 },
  probing: { phase: "probing", ...at },
  ready: { phase: "ready", workerPid: 2, ...at },
  unready: { phase: "unready", cause, ...at },
  draining: { phase: "draining", cause, ...at },
  stopping: { phase: "stopping", generation: 2, containerId: "c", cause, atMs: 1 },
  stopped: { phase: "stopped", generation: 2, containerId: "c", atMs: 1 },
  backoff: { phase: "backoff", failures: 1, untilMs: 9, cause, atMs: 1 },
  failed: { phase: "failed", failures: 8, cause, logTail: [], atMs: 1 },
  unknown: { phase: "unknown", cause, atMs: 1 },
};

const EVENTS: { readonly [T in LaneEventType]: Extract<LaneEvent, { readonly type: T }> } = {
  create: { type: "create", generation: 3, atMs: 2 },
  created: { type: "created", containerId: "d", atMs: 2 },
  started: { type: "started", endpoint: "e", atMs: 2 },
  restart: { type: "restart", generation: 2, containerId: "c", atMs: 2 },
  adopted: { type: "adopted", generation: 2, containerId: "c", endpoint: "e", atMs: 2 },
  proven: { type: "proven", workerPid: 2, atMs: 2 },
  silent: { type: "silent", cause, atMs: 2 },
  drain: { type: "drain", cause, atMs: 2 },
  undrain: { type: "undrain", workerPid: 2, atMs: 2 },
  stop: { type: "stop", generation: 2, containerId: "c", cause, atMs: 2 },
  stopped: { type: "stopped", generation: 2, containerId: "c", atMs: 2 },
  gone: { type: "gone", cause, atMs: 2 },
  retry_later: { type: "retry_later", failures: 1, untilMs: 9, cause, atMs: 2 },
  give_up: { type: "give_up", failures: 8, cause, logTail: [], atMs: 2 },
  reset: { type: "reset", cause, atMs: 2 },
  engine_lost: { type: "engine_lost", cause, atMs: 2 },
  engine_back: { type: "engine_back", atMs: 2 },
};

/** The whole table: event -> the phases it is legal in -> the phase it leads to. */
const TABLE: { readonly [T in LaneEventType]: readonly [readonly LanePhase[], LanePhase] } = {
  create: [["absent", "backoff"], "creating"],
  created: [["creating"], "starting"],
  started: [["starting"], "probing"],
  restart: [["stopped"], "starting"],
  adopted: [["absent", "unknown"], "probing"],
  proven: [["probing", "unready"], "ready"],
  silent: [["ready", "draining", "probing"], "unready"],
  drain: [["ready", "unready"], "draining"],
  undrain: [["draining"], "ready"],
  stop: [LANE_PHASES.filter((phase) => phase !== "unknown"), "stopping"],
  stopped: [["stopping", "absent", "unknown"], "stopped"],
  gone: [["creating", "starting", "probing", "ready", "unready", "draining", "stopping", "stopped"], "absent"],
  retry_later: [["absent", "creating"], "backoff"],
  give_up: [["absent", "creating", "backoff", "stopped", "probing", "ready", "unready", "draining"], "failed"],
  reset: [["failed", "backoff"], "absent"],
  engine_lost: [LANE_PHASES.filter((phase) => phase !== "unknown"), "unknown"],
  engine_back: [["unknown"], "absent"],
};

describe("lane state machine", () => {
  for (const [type, [legal, to]] of Object.entries(TABLE) as [
    LaneEventType,
    readonly [readonly LanePhase[], LanePhase],
  ][]) {
    for (const phase of LANE_PHASES) {
      if (legal.includes(phase)) {
        it(`${phase} + ${type} -> ${to}`, () => expect(transition(STATES[phase], EVENTS[type]).phase).toBe(to));
      } else {
        it(`${phase} + ${type} is a defect`, () =>
          expect(() => transition(STATES[phase], EVENTS[type])).toThrowError(/cannot take/));
      }
    }
  }

  it("keeps generation and container on the way from creating to ready", () => {
    const path: LaneEvent[] = [EVENTS.create, EVENTS.created, EVENTS.started, EVENTS.proven];
    const end = path.reduce<LaneState>((state, event) => transition(state, event), { phase: "absent" });
    expect(end).toEqual({ phase: "ready", generation: 3, containerId: "d", endpoint: "e", workerPid: 2, atMs: 2 });
  });
});
