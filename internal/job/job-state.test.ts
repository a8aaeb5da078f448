import { describe, expect, it } from "vitest";
import { hasCode } from "../base/index.ts";
import {
  isActive,
  isTerminal,
  JOB_PHASES,
  type JobEvent,
  type JobEventType,
  type JobPhase,
  type JobState,
  transition,
} from "./job-state.ts";

const result = { exitCode: 0, signal: null, stderrTail: "", truncated: false };
const error = { code: "exit", message: "exit code 1" };
const active = { attempt: 1, generation: 3, reachable: true, cancelling: false };

const STATES: { readonly [P in JobPhase]: Extract<JobState, { readonly phase: P }> } = {
  queued: { phase: "queued", attempt: 0, waiting: null },
  dispatching: { phase: "dispatching", ...active },
  accepted: { phase: "accepted", ...active },
  running: { phase: "running", ...active },
  awaiting_answer: { phase: "awaiting_answer", attempt: 1, item: "q1", result },
  succeeded: { phase: "succeeded", attempt: 1, result },
  failed: { phase: "failed", attempt: 1, result, error },
  cancelled: { phase: "cancelled", attempt: 1, result: null, forced: false },
  lost: { phase: "lost", attempt: 1, error },
};

const EVENTS: { readonly [T in JobEventType]: Extract<JobEvent, { readonly type: T }> } = {
  wait: { type: "wait", reason: "lane is stopped" },
  dispatch: { type: "dispatch", generation: 3 },
  undispatch: { type: "undispatch", reason: "stale generation" },
  accepted: { type: "accepted" },
  started: { type: "started" },
  unreachable: { type: "unreachable" },
  reachable: { type: "reachable", generation: 3 },
  cancel: { type: "cancel" },
  awaits: { type: "awaits", item: "q1", result },
  answered: { type: "answered" },
  succeeded: { type: "succeeded", result },
  failed: { type: "failed", result, error },
  cancelled: { type: "cancelled", result, forced: true },
  lost: { type: "lost", error },
  retry: { type: "retry" },
};

/** `=` stays the same value, `!` is illegal, `+` the same phase with another fact, a name the next phase. */
// biome-ignore format: one row per event, one column per phase
const TABLE: { readonly [T in JobEventType]: { readonly [P in JobPhase]: JobPhase | "=" | "!" | "+" } } = {
  wait: { queued: "+", dispatching: "!", accepted: "!", running: "!", awaiting_answer: "!", succeeded: "!", failed: "!", cancelled: "!", lost: "!" },
  dispatch: { queued: "dispatching", dispatching: "!", accepted: "!", running: "!", awaiting_answer: "!", succeeded: "!", failed: "!", cancelled: "!", lost: "!" },
  undispatch: { queued: "!", dispatching: "queued", accepted: "!", running: "!", awaiting_answer: "!", succeeded: "!", failed: "!", cancelled: "!", lost: "!" },
  accepted: { queued: "!", dispatching: "accepted", accepted: "=", running: "=", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  started: { queued: "!", dispatching: "running", accepted: "running", running: "=", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  unreachable: { queued: "=", dispatching: "+", accepted: "+", running: "+", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  reachable: { queued: "=", dispatching: "=", accepted: "=", running: "=", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  cancel: { queued: "cancelled", dispatching: "+", accepted: "+", running: "+", awaiting_answer: "cancelled", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  awaits: { queued: "!", dispatching: "awaiting_answer", accepted: "awaiting_answer", running: "awaiting_answer", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  answered: { queued: "!", dispatching: "!", accepted: "!", running: "!", awaiting_answer: "queued", succeeded: "!", failed: "!", cancelled: "!", lost: "!" },
  succeeded: { queued: "!", dispatching: "succeeded", accepted: "succeeded", running: "succeeded", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  failed: { queued: "!", dispatching: "failed", accepted: "failed", running: "failed", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  cancelled: { queued: "!", dispatching: "cancelled", accepted: "cancelled", running: "cancelled", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  lost: { queued: "!", dispatching: "lost", accepted: "lost", running: "lost", awaiting_answer: "=", succeeded: "=", failed: "=", cancelled: "=", lost: "=" },
  retry: { queued: "!", dispatching: "!", accepted: "!", running: "!", awaiting_answer: "!", succeeded: "!", failed: "queued", cancelled: "queued", lost: "queued" },
};

describe("every phase-event pair", () => {
  for (const event of Object.values(EVENTS)) {
    for (const phase of JOB_PHASES) {
      const expected = TABLE[event.type][phase];
      it(`${phase} + ${event.type} -> ${expected}`, () => {
        const state = STATES[phase];
        if (expected === "!") {
          const thrown = catchOf(() => transition(state, event));
          expect(hasCode(thrown, "internal.illegal_transition")).toBe(true);
          return;
        }
        const next = transition(state, event);
        if (expected === "=") expect(next).toBe(state);
        else if (expected === "+") expect([next.phase, next === state]).toEqual([phase, false]);
        else expect(next.phase).toBe(expected);
      });
    }
  }
});

describe("facts carried over", () => {
  it("keeps the wish to cancel through accepted, started and a new generation", () => {
    let state = transition(STATES.dispatching, EVENTS.cancel);
    for (const event of [
      EVENTS.accepted,
      EVENTS.unreachable,
      { type: "reachable", generation: 4 } as const,
      EVENTS.started,
    ]) {
      state = transition(state, event);
    }
    expect(state).toEqual({ phase: "running", attempt: 1, generation: 4, reachable: true, cancelling: true });
  });

  it("counts attempts at dispatch, takes an undelivered one back, keeps the number over a retry", () => {
    const dispatched = transition(STATES.queued, EVENTS.dispatch);
    expect(dispatched.attempt).toBe(1);
    expect(transition(dispatched, EVENTS.undispatch)).toEqual({
      phase: "queued",
      attempt: 0,
      waiting: "stale generation",
    });
    const again = transition(transition(STATES.lost, EVENTS.retry), EVENTS.dispatch);
    expect(again.attempt).toBe(2);
  });

  it("goes on after an answer as the next attempt, and keeps its result when it is cancelled instead", () => {
    const queued = transition(STATES.awaiting_answer, EVENTS.answered);
    expect(transition(queued, EVENTS.dispatch)).toMatchObject({ phase: "dispatching", attempt: 2 });
    expect(transition(STATES.awaiting_answer, EVENTS.cancel)).toMatchObject({ attempt: 1, result, forced: false });
  });

  it("cancels a cancelling job that never arrived instead of queueing it again", () => {
    const state = transition(transition(STATES.dispatching, EVENTS.cancel), EVENTS.undispatch);
    expect(state).toEqual({ phase: "cancelled", attempt: 1, result: null, forced: false });
  });

  it("calls a phase active or terminal, or neither when it waits for its turn or an answer", () => {
    const kinds = JOB_PHASES.map((phase) => (isActive(STATES[phase]) ? "a" : isTerminal(STATES[phase]) ? "t" : "q"));
    expect(kinds.join("")).toBe("qaaaqtttt");
  });
});

function catchOf(fn: () => unknown): unknown {
  try {
    fn();
  } catch (caught) {
    return caught;
  }
  return undefined;
}
