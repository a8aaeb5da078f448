import { expect, it } from "vitest";
import type { InboxItem, InboxState, Job } from "../../job/index.ts";
import { readOutcomes } from "./question-outcomes.ts";

const STATES: Readonly<Record<string, InboxState>> = {
  page: { phase: "answered", answer: "a", by: "page", atMs: 1 },
  cli: { phase: "answered", answer: "a", by: "cli", atMs: 1 },
  default: { phase: "answered", answer: "a", by: "default", atMs: 1 },
  policy: { phase: "answered", answer: "a", by: "policy", atMs: 1 },
  expired: { phase: "expired", atMs: 1 },
  done: { phase: "done", by: "cli", atMs: 1 },
};

it("tells an agent what came of each question, who decided, and leaves out what is not on record", () => {
  const asked: unknown[] = [];
  const store = {
    jobs: {
      listAnswers: (job: string, attempt: number) => {
        asked.push([job, attempt]);
        return [...Object.keys(STATES), "gone"];
      },
    },
    items: { find: (id: string) => (STATES[id] ? ({ title: id, state: STATES[id] } as InboxItem) : null) },
  };
  const job = { id: "job1", state: { phase: "queued", attempt: 2, waiting: null } } as Job;
  expect(readOutcomes(store, job)).toEqual([
    { question: "page", answer: "a", by: "person" },
    { question: "cli", answer: "a", by: "person" },
    { question: "default", answer: "a", by: "default" },
    { question: "policy", answer: "a", by: "policy" },
    { question: "expired", answer: null, by: "nobody" },
    { question: "done", answer: null, by: "person" },
  ]);
  expect(asked).toEqual([["job1", 2]]);
});
