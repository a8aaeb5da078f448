import { afterEach, beforeEach, expect, it } from "vitest";
import { job } from "../store/testing.ts";
import { type InboxBench, openInboxBench, thrownBy } from "./testing.ts";

const DAY = 86_400_000;
const result = { exitCode: 1, signal: null, stderrTail: "", truncated: false };

let bench: InboxBench;
beforeEach(() => {
  bench = openInboxBench();
});
afterEach(() => bench[Symbol.dispose]());

const drop = (signal = new AbortController().signal) =>
  bench.inbox.dropClosed(bench.clock.nowMs() - 90 * DAY, { signal });
const titles = () =>
  bench.inbox
    .list({ limit: 1000 })
    .map(({ title }) => title)
    .sort()
    .join(" ");
const removed = () => bench.store.feed.readAfter(0, 10_000).filter(({ type }) => type === "inbox.removed");
/** The daemon is away for so long. */
const pass = (days: number) => {
  bench.kill();
  return bench.clock.advance(days * DAY);
};
const raise = (kind: "drift" | "failed" | "limit", subject: string, occurrence: string, laneId: string | null) =>
  bench.inbox.raise({ kind, subject, occurrence, laneId, jobId: null, title: occurrence });
/** Ends the job that asks. */
const endJob = (phase: "succeeded" | "failed") => {
  const end = phase === "failed" ? { error: { code: "exit", message: "no" }, result } : { result };
  bench.store.jobs.save({ ...job("j1", { endedAtMs: 1 }), state: { phase, attempt: 1, ...end } as never });
};

it("removes what was closed long ago, never what waits, and tells the ids", async () => {
  const old = ["answered", "done"].map((title) => bench.ask(title));
  const slow = bench.ask("slow");
  bench.ask("open");
  bench.ask("expired", { expiresMs: 1000 });
  const snoozed = bench.ask("snoozed");
  bench.inbox.answer(old[0]?.id ?? "", "a", "cli");
  bench.inbox.done(old[1]?.id ?? "", "page");
  await bench.clock.advance(DAY);
  bench.inbox.snooze(snoozed.id, 400 * DAY);
  endJob("succeeded");
  await pass(40);
  bench.inbox.answer(slow.id, "a", "cli");
  const late = bench.ask("late");
  bench.inbox.answer(late.id, "a", "cli");
  expect(await drop()).toBe(0);
  await pass(50);
  expect(await drop()).toBe(3);
  expect(titles()).toBe("late open slow snoozed");
  const told = removed().flatMap(({ data }) => data.ids as string[]);
  expect(told).toHaveLength(3);
  expect(told).toEqual(expect.arrayContaining(old.map(({ id }) => id)));
  expect(thrownBy(() => bench.inbox.get(old[0]?.id ?? ""))).toMatchObject({ code: "inbox.not_found" });
  expect(await drop()).toBe(0);
});

it("keeps questions of a job that is not over, and what its next attempt would begin with", async () => {
  const [told, untold, unheard] = ["told", "untold", "unheard"].map((title) => bench.ask(title));
  for (const one of [told, untold, unheard]) bench.inbox.answer(one?.id ?? "", "a", "cli");
  bench.store.jobs.putAttempt("j1", 1, 1, 5);
  bench.store.jobs.putAnswers("j1", 1, [told?.id ?? ""]);
  bench.inbox.markDelivered([told?.id ?? "", untold?.id ?? ""]);
  await pass(100);
  expect(await drop()).toBe(0);
  endJob("failed");
  expect(await drop()).toBe(1);
  expect(titles()).toBe("told unheard");
  endJob("succeeded");
  await drop();
  expect(titles()).toBe("");
});

it("keeps the last word on what may still be true, so that it is not said again", async () => {
  for (const occurrence of ["drift1", "drift2"]) {
    raise("drift", "drift:demo", occurrence, "demo");
    bench.inbox.done(bench.inbox.list({ limit: 1 })[0]?.id ?? "", "page");
  }
  for (const [kind, subject, laneId] of [
    ["drift", "drift:gone", "gone"],
    ["limit", "limit:claude", null],
    ["failed", "failed:j1", "demo"],
  ] as const) {
    raise(kind, subject, subject, laneId);
    bench.inbox.done(bench.inbox.list({ limit: 1 })[0]?.id ?? "", "page");
  }
  await pass(100);
  await drop();
  expect(titles()).toBe("drift2 limit:claude");
  raise("drift", "drift:demo", "drift2", "demo");
  expect(titles()).toBe("drift2 limit:claude");
});

it("keeps an accepted proposal until its job is queued", async () => {
  const task = bench.inbox.createTask(bench.call({ title: "tidy up" }));
  bench.inbox.answer(bench.inbox.list({ limit: 1 })[0]?.id ?? "", "accept", "page");
  await pass(100);
  expect(await drop()).toBe(0);
  bench.inbox.startTask(task.id, "j2");
  expect(await drop()).toBe(1);
});

it("lets a call's key ask anew once its question is no more", async () => {
  const ask = () => bench.inbox.ask(bench.call({ question: "again?" }, { key: "k" }));
  const first = ask();
  expect(ask().id).toBe(first.id);
  bench.inbox.answer(first.id, "a", "cli");
  endJob("succeeded");
  await pass(100);
  await drop();
  expect(ask().id).not.toBe(first.id);
});

it("goes in bounded commits, stops when it is told to, and leaves the pages of a list where they were", async () => {
  endJob("succeeded");
  const ids: string[] = [];
  for (let n = 0; n < 45; n++) {
    await bench.clock.advance(DAY / 10);
    const id = bench.inbox.ask(bench.call({ question: `q${n}` }, { job: { id: `old${n}`, attempt: 1 } })).id;
    bench.inbox.done(id, "page");
    ids.push(id);
  }
  bench.store.transaction(() => {
    for (let n = 0; n < 450; n++) {
      const { id } = bench.inbox.ask(bench.call({ question: `bulk${n}` }, { job: { id: `bulk${n}`, attempt: 1 } }));
      bench.inbox.done(id, "page");
    }
  });
  await pass(88);
  const between = bench.inbox.list({ bucket: "done", limit: 1, before: ids[21] })[0];
  expect(between?.id).toBe(ids[20]);
  expect(await drop(AbortSignal.abort())).toBe(0);
  // Those of the first two days are old enough now.
  const gone = await drop();
  expect(gone).toBeGreaterThan(20);
  expect(gone).toBeLessThan(45);
  expect(bench.inbox.list({ limit: 9, before: ids[gone] })).toEqual([]);
  expect(bench.inbox.list({ limit: 9, before: ids[gone - 1] })).toEqual([]);
  expect(bench.inbox.list({ limit: 9, before: ids[gone + 1] }).map(({ id }) => id)).toEqual([ids[gone]]);
  await pass(90);
  expect(await drop()).toBe(495 - gone);
  expect(removed().every(({ data }) => (data.ids as string[]).length <= 200)).toBe(true);
});
