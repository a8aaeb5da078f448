import { describe, expect, it } from "vitest";
import { type InboxEvent, type InboxState, transitionItem } from "./inbox-item.ts";

type Phase = InboxState["phase"];

const STATES: { readonly [P in Phase]: Extract<InboxState, { readonly phase: P }> } = {
  open: { phase: "open" },
  snoozed: { phase: "snoozed", untilMs: 5 },
  answered: { phase: "answered", answer: "a", by: "cli", atMs: 1 },
  done: { phase: "done", by: "page", atMs: 1 },
  expired: { phase: "expired", atMs: 1 },
};
const EVENTS: { readonly [T in InboxEvent["type"]]: Extract<InboxEvent, { readonly type: T }> } = {
  answer: { type: "answer", answer: "b", by: "page", atMs: 9 },
  snooze: { type: "snooze", untilMs: 20 },
  wake: { type: "wake" },
  done: { type: "done", by: "cli", atMs: 9 },
  reopen: { type: "reopen" },
  expire: { type: "expire", atMs: 9 },
};
const PHASES = Object.keys(STATES) as Phase[];

/** `=` stays the same value, `!` is not possible. */
const TABLE: { readonly [T in InboxEvent["type"]]: { readonly [P in Phase]: Phase | "=" | "!" } } = {
  answer: { open: "answered", snoozed: "answered", answered: "!", done: "!", expired: "!" },
  snooze: { open: "snoozed", snoozed: "snoozed", answered: "!", done: "!", expired: "!" },
  wake: { open: "=", snoozed: "open", answered: "=", done: "=", expired: "=" },
  done: { open: "done", snoozed: "done", answered: "!", done: "=", expired: "!" },
  reopen: { open: "=", snoozed: "open", answered: "!", done: "open", expired: "!" },
  expire: { open: "expired", snoozed: "expired", answered: "!", done: "!", expired: "!" },
};

describe("every phase-event pair", () => {
  for (const event of Object.values(EVENTS)) {
    for (const phase of PHASES) {
      const expected = TABLE[event.type][phase];
      it(`${phase} + ${event.type} -> ${expected}`, () => {
        const next = transitionItem(STATES[phase], event);
        if (expected === "!") expect(next).toBeNull();
        else if (expected === "=") expect(next).toBe(STATES[phase]);
        else expect(next?.phase).toBe(expected);
      });
    }
  }
});

it("an answer stays with who gave it and when", () => {
  expect(transitionItem(STATES.snoozed, EVENTS.answer)).toEqual({
    phase: "answered",
    answer: "b",
    by: "page",
    atMs: 9,
  });
});
