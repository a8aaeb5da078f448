import { afterEach, beforeEach, expect, it } from "vitest";
import type { InboxItem } from "../job/index.ts";
import type { Store } from "./open-store.ts";
import { filledStore, tempFolder as makeFolder, openIn, type tempFolder } from "./testing.ts";

let folder: ReturnType<typeof tempFolder>;
let store: Store;
beforeEach(() => {
  folder = makeFolder();
  store = filledStore(folder.path);
});
afterEach(() => {
  store.close();
  folder[Symbol.dispose]();
});

const item = (n: number, more: Partial<InboxItem> = {}): InboxItem => ({
  id: `01item${String(n).padStart(20, "0")}`,
  kind: "question",
  laneId: `lane-${n % 200}`,
  jobId: `j${n}`,
  attempt: 1,
  title: `q${n}`,
  body: "b",
  choices: ["a"],
  fallback: "a",
  urgency: "normal",
  state: { phase: "open" },
  delivered: false,
  isRead: false,
  createdAtMs: n,
  changedAtMs: n,
  expiresAtMs: null,
  subject: null,
  occurrence: null,
  data: { n },
  ...more,
});
const DONE = { phase: "done", by: "page", atMs: 3 } as const;

it("keeps items as they are over a restart", () => {
  const items = [
    item(1, { expiresAtMs: 9, subject: "s", occurrence: "o", delivered: true, isRead: true }),
    item(2, { state: { phase: "snoozed", untilMs: 5 }, expiresAtMs: 9, laneId: null, jobId: null, attempt: null }),
    item(3, { state: { phase: "answered", answer: "a", by: "cli", atMs: 7 }, kind: "approval", fallback: null }),
    item(4, { state: { phase: "expired", atMs: 7 }, expiresAtMs: 4 }),
  ];
  for (const one of items) store.items.insert(one);
  store.close();
  store = openIn(folder.path);
  expect(store.items.list({ limit: 9 })).toEqual([...items].reverse());
  expect([store.items.nextDueMs(), store.items.listDue(5, 9), store.items.countOpen()]).toEqual([5, [items[1]], 1]);
  store.items.save({ ...item(2), state: DONE });
  expect([store.items.find(item(2).id)?.state, store.items.nextDueMs()]).toEqual([DONE, 9]);
});

it("lets only one item of a subject wait", () => {
  store.items.insert(item(1, { subject: "s" }));
  expect(() => store.items.insert(item(2, { subject: "s" }))).toThrow(/UNIQUE/);
  store.items.save({ ...item(1, { subject: "s" }), state: DONE });
  store.items.insert(item(2, { subject: "s" }));
  expect(store.items.findBySubject("s")?.id).toBe(item(2).id);
});

it("finds its way through 10 000 items of 200 lanes by indexes", () => {
  store.transaction(() => {
    for (let n = 0; n < 10_000; n++) {
      store.items.insert(item(n, n % 50 === 0 ? {} : { state: DONE, kind: n % 2 ? "question" : "failed" }));
    }
  });
  const timed = (name: string, fn: () => unknown) => {
    const from = performance.now();
    fn();
    return `${name} ${(performance.now() - from).toFixed(2)} ms`;
  };
  const { items } = store;
  const lines = [
    timed("first page", () => expect(items.list({ bucket: "open", limit: 50 })).toHaveLength(50)),
    timed("again", () => items.list({ bucket: "open", limit: 50 })),
    timed("last page of all", () => expect(items.list({ limit: 50, before: item(50).id })).toHaveLength(50)),
    timed("of a lane", () => expect(items.list({ laneId: "lane-7", limit: 50 })).toHaveLength(50)),
    timed("open of a lane", () => expect(items.list({ laneId: "lane-7", bucket: "open", limit: 50 })).toEqual([])),
    timed("open of a kind", () => expect(items.list({ kind: "failed", bucket: "open", limit: 50 })).toEqual([])),
    timed("found by text", () => expect(items.list({ bucket: "open", text: "q9950", limit: 50 })).toHaveLength(1)),
    timed("all by text", () => expect(items.list({ text: "nowhere", limit: 50 })).toEqual([])),
    timed("count", () => expect(items.countOpen()).toBe(200)),
  ];
  process.stdout.write(`10 000 items: ${lines.join(", ")}\n`);
});
