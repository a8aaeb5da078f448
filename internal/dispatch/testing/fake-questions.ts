import { type InboxItem, isWaiting } from "../../job/index.ts";
import type { Store } from "../../store/index.ts";
import type { JobQuestions } from "../ports.ts";

/** Questions in the store's own table, so that they are undone with the commit they were made in. */
export interface FakeQuestions extends JobQuestions {
  /** The job's agent asks; gives the question's id. */
  ask(job: string, attempt?: number): string;
  /** A person answers it; whoever waits for that is to be told. Without effect when it is settled. */
  answer(id: string): void;
  /** Those of a job, oldest first. */
  of(job: string): readonly InboxItem[];
}

/** See {@link FakeQuestions}. `store` may change: a daemon that was started anew. */
export function createFakeQuestions(store: () => Store): FakeQuestions {
  let asked = 0;
  const save = (id: string, change: (item: InboxItem) => InboxItem) => {
    const item = store().items.find(id);
    if (item) store().items.save(change(item));
  };
  const of = (job: string) => store().items.listQuestions(job);
  return {
    of,
    ask: (job, attempt = 1) => {
      const id = `q${++asked}`;
      store().items.insert(question(id, job, attempt));
      return id;
    },
    answer: (id) =>
      save(id, (item) =>
        isWaiting(item.state) ? { ...item, state: { phase: "answered", answer: "yes", by: "cli", atMs: 1 } } : item,
      ),
    listPending: (job) =>
      of(job).flatMap(({ id, state, delivered }) => (delivered ? [] : [{ id, settled: !isWaiting(state) }])),
    markDelivered: (ids) => {
      for (const id of ids) save(id, (item) => ({ ...item, delivered: true }));
    },
    close: (job) => {
      for (const { id, state } of of(job)) {
        if (!isWaiting(state)) continue;
        save(id, (item) => ({ ...item, state: { phase: "done", by: "system", atMs: 1 }, delivered: true }));
      }
    },
  };
}

function question(id: string, jobId: string, attempt: number): InboxItem {
  return {
    id,
    kind: "question",
    laneId: "demo",
    jobId,
    attempt,
    title: "Go on?",
    body: "",
    choices: [],
    fallback: null,
    urgency: "normal",
    state: { phase: "open" },
    delivered: false,
    isRead: false,
    createdAtMs: 1,
    changedAtMs: 1,
    expiresAtMs: null,
    subject: null,
    occurrence: null,
    data: {},
  };
}
