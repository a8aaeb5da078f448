import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InboxItem } from "../job/index.ts";
import { type InboxBench, openInboxBench, thrownBy } from "./testing.ts";

let bench: InboxBench;
beforeEach(() => {
  bench = openInboxBench();
});
afterEach(() => bench[Symbol.dispose]());

const phase = (item: InboxItem) => item.state.phase;
const now = (item: InboxItem) => bench.inbox.get(item.id);
const feedOf = () =>
  bench.store.feed
    .readAfter(0, 1000)
    .flatMap(({ type, data }) =>
      type.startsWith("inbox.") ? [`${type} ${String(data.kind)} ${String(data.state)}`] : [],
    );

describe("a question", () => {
  it("is on the disk with all it says, and in the feed, when the call returns", () => {
    const asked = bench.ask("Which?", {
      body: "# why",
      choices: ["a", "b"],
      default: "a",
      urgency: "high",
      expiresMs: 5000,
    });
    bench.kill();
    expect(bench.inbox.get(asked.id.slice(0, 20))).toEqual({
      ...asked,
      kind: "question",
      laneId: "demo",
      jobId: "j1",
      attempt: 1,
      title: "Which?",
      body: "# why",
      choices: ["a", "b"],
      fallback: "a",
      urgency: "high",
      state: { phase: "open" },
      expiresAtMs: bench.clock.nowMs() + 5000,
    });
    expect(feedOf()).toEqual(["inbox.opened question open"]);
  });

  it("is one row for 100 posts with one key; the same key with other words is refused, in another lane it is free", async () => {
    const call = () => bench.inbox.ask(bench.call({ question: "Which?" }, { key: "k" }));
    const asked = await Promise.all(Array.from({ length: 100 }, async () => call()));
    expect(new Set(asked.map((item) => JSON.stringify(item))).size).toBe(1);
    expect(bench.inbox.list({ limit: 500 })).toHaveLength(1);
    expect(thrownBy(() => bench.inbox.ask(bench.call({ question: "Other?" }, { key: "k" })))).toMatchObject({
      code: "request.key_conflict",
    });
    expect(thrownBy(() => bench.inbox.report(bench.call({ level: "info", body: "x" }, { key: "k" })))).toMatchObject({
      code: "request.key_conflict",
    });
    bench.kill();
    expect(call().id).toBe(asked[0]?.id);
    expect(bench.inbox.ask(bench.call({ question: "Other?" }, { key: "k", laneId: "other" })).laneId).toBe("other");
  });

  it("says nothing that is no text, and no secret", () => {
    const asked = bench.ask("\u001b[31mRed\u0000\u202e\n\nline", {
      body: "a\r\nb\u0007 hunter2hunter2 \n[link](x)",
      choices: [" x "],
    });
    expect([asked.title, asked.body, asked.choices]).toEqual(["Red line", "a\nb [redacted] \n[link](x)", ["x"]]);
    expect(thrownBy(() => bench.ask("\u0000\u202e"))).toMatchObject({ code: "request.invalid" });
    expect(thrownBy(() => bench.ask("?", { choices: ["a", "a\u0000"] }))).toMatchObject({ code: "request.invalid" });
  });

  it("is refused beyond 20 that wait in its lane, and beyond 50 of its job", () => {
    const asked = Array.from({ length: 20 }, (_, i) => bench.ask(`q${i}`));
    expect(thrownBy(() => bench.ask("one more"))).toMatchObject({ code: "inbox.full" });
    for (const { id } of asked) bench.inbox.done(id, "cli");
    for (let i = 0; i < 30; i++) bench.inbox.done(bench.ask(`r${i}`).id, "cli");
    expect(thrownBy(() => bench.ask("one more"))).toMatchObject({ code: "inbox.full" });
    expect(phase(bench.inbox.ask(bench.call({ question: "?" }, { job: { id: "j2", attempt: 1 } })))).toBe("open");
  });
});

describe("an answer", () => {
  it("is given once: again is no error, another one names who answered and when", () => {
    const asked = bench.ask("Which?", { choices: ["a"] });
    const first = bench.inbox.answer(asked.id, "free text", "page");
    expect(first.state).toEqual({ phase: "answered", answer: "free text", by: "page", atMs: bench.clock.nowMs() });
    expect(bench.inbox.answer(asked.id, "free text", "cli")).toEqual(first);
    const at = new Date(bench.clock.nowMs()).toISOString();
    expect(thrownBy(() => bench.inbox.answer(asked.id, "b", "cli"))).toMatchObject({
      code: "inbox.answered",
      message: `item ${asked.id} was answered by page at ${at}`,
      details: { by: "page", at, answer: "free text" },
    });
    expect(bench.resumed).toEqual(["j1"]);
    expect(feedOf()).toEqual(["inbox.opened question open", "inbox.changed question answered"]);
  });

  it("and what it means for its job are one commit", () => {
    const failing = openInboxBench({
      resume: () => {
        throw new Error("no");
      },
    });
    const asked = failing.ask("Which?");
    expect(thrownBy(() => failing.inbox.answer(asked.id, "a", "cli"))).not.toBeNull();
    expect(failing.inbox.get(asked.id).state.phase).toBe("open");
    failing[Symbol.dispose]();
  });

  it("reaches the call that waits, which is told at once, and nobody a second time", async () => {
    const asked = bench.ask("Which?");
    const wait = (waitMs: number, laneId = "demo") =>
      bench.inbox.waitForAnswer(asked.id, { laneId, seesAll: false, waitMs, signal: undefined });
    const waiting = wait(60_000);
    bench.inbox.snooze(asked.id, 1000);
    bench.inbox.answer(asked.id, "a", "page");
    expect(await waiting).toMatchObject({ state: { phase: "answered", answer: "a" }, delivered: true });
    expect(bench.inbox.listPending("j1")).toEqual([]);
    expect(await wait(0)).toMatchObject({ state: { answer: "a" } });
    await expect(wait(0, "other")).rejects.toMatchObject({ code: "inbox.not_found" });
  });

  it("that comes after the wait, or after the caller has gone, is still to be delivered, also by the next process", async () => {
    const asked = bench.ask("Which?");
    const gone = new AbortController();
    const opts = { laneId: "demo", seesAll: false, waitMs: 5000 };
    const short = bench.inbox.waitForAnswer(asked.id, { ...opts, signal: undefined });
    const cut = bench.inbox.waitForAnswer(asked.id, { ...opts, waitMs: 60_000, signal: gone.signal });
    await bench.clock.advance(5000);
    expect(phase(await short)).toBe("open");
    gone.abort();
    bench.inbox.answer(asked.id, "a", "page");
    await expect(cut).rejects.toMatchObject({ code: "cancelled" });
    bench.kill();
    expect(bench.inbox.listPending("j1")).toEqual([{ id: asked.id, settled: true }]);
    bench.inbox.markDelivered([asked.id]);
    bench.inbox.markDelivered([asked.id]);
    expect(bench.inbox.listPending("j1")).toEqual([]);
  });

  it("is seen, not taken, by a lane that sees all", async () => {
    const asked = bench.ask("Which?");
    bench.inbox.answer(asked.id, "a", "cli");
    const seen = await bench.inbox.waitForAnswer(asked.id, {
      laneId: "other",
      seesAll: true,
      waitMs: 0,
      signal: undefined,
    });
    expect([phase(seen), seen.delivered]).toEqual(["answered", false]);
  });
});

describe("time", () => {
  it("answers by the default or lets expire, over restarts, and tells the job", async () => {
    const withDefault = bench.ask("a?", { default: "yes", expiresMs: 60_000 });
    const without = bench.ask("b?", { expiresMs: 90_000 });
    bench.inbox.snooze(without.id, 10 * 60_000);
    bench.kill();
    bench.inbox.start();
    await bench.clock.advance(59_999);
    expect([phase(now(withDefault)), bench.resumed]).toEqual(["open", []]);
    await bench.clock.advance(1);
    expect(now(withDefault).state).toMatchObject({ phase: "answered", answer: "yes", by: "default" });
    bench.kill();
    await bench.clock.advance(3_600_000);
    expect(phase(now(without))).toBe("snoozed");
    bench.inbox.start();
    await bench.clock.advance(0);
    expect(phase(now(without))).toBe("expired");
    expect(bench.resumed).toEqual(["j1", "j1"]);
    expect(bench.inbox.listPending("j1").map(({ settled }) => settled)).toEqual([true, true]);
    expect(thrownBy(() => bench.inbox.answer(without.id, "late", "cli"))).toMatchObject({ code: "inbox.expired" });
    expect(bench.clock.pending).toBe(0);
  });

  it("ends a snooze, and notices when the wall clock was set forward", async () => {
    const asked = bench.ask("a?");
    bench.inbox.markRead(asked.id, true);
    bench.inbox.snooze(asked.id, 3_600_000);
    expect(bench.inbox.list({ bucket: "open", limit: 10 })).toEqual([]);
    expect(bench.inbox.list({ bucket: "snoozed", limit: 10 })).toHaveLength(1);
    bench.clock.jumpWall(3_600_000);
    await bench.clock.advance(60_000);
    expect(phase(now(asked))).toBe("open");
    // Back as news.
    expect([now(asked).isRead, feedOf().at(-1)]).toEqual([false, "inbox.woken question open"]);
  });
});

describe("what is put away", () => {
  it("tells the asker so; an ended job's questions go, answered ones stay to be delivered", () => {
    const [put, left, told] = [bench.ask("a?"), bench.ask("b?"), bench.ask("c?")];
    bench.inbox.done(put.id, "page");
    bench.inbox.done(put.id, "page");
    bench.inbox.answer(told.id, "x", "cli");
    expect(bench.resumed).toEqual(["j1", "j1"]);
    bench.inbox.close("j1");
    expect(now(left).state).toMatchObject({ phase: "done", by: "system" });
    expect(bench.inbox.listPending("j1").map(({ id }) => id)).toEqual([put.id, told.id]);
    expect(thrownBy(() => bench.inbox.answer(left.id, "late", "cli"))).toMatchObject({ code: "inbox.expired" });
    expect(thrownBy(() => bench.inbox.reopen(put.id))).toMatchObject({ code: "inbox.expired" });
    expect(bench.resumed).toHaveLength(2);
  });

  it("of a removed lane is all that waited there, and its keys are free", () => {
    const asked = bench.inbox.ask(bench.call({ question: "a?" }, { key: "k" }));
    const task = bench.inbox.createTask(bench.call({ title: "t" }));
    bench.inbox.raise({
      kind: "drift",
      subject: "drift:demo",
      occurrence: "1",
      laneId: "demo",
      jobId: null,
      title: "d",
    });
    const elsewhere = bench.inbox.ask(bench.call({ question: "a?" }, { laneId: "other" }));
    bench.inbox.laneRemoved("demo");
    expect(bench.inbox.list({ bucket: "open", limit: 10 }).map(({ id }) => id)).toEqual([elsewhere.id]);
    expect(bench.inbox.tasks("demo")).toMatchObject([{ id: task.id, state: "rejected" }]);
    expect(bench.inbox.ask(bench.call({ question: "b?" }, { key: "k" })).id).not.toBe(asked.id);
  });
});

it("lists by pages, newest first, by state, kind and lane", () => {
  const asked = Array.from({ length: 5 }, (_, i) => bench.ask(`q${i}`));
  bench.inbox.ask(bench.call({ question: "o" }, { laneId: "other" }));
  bench.inbox.answer(asked[0]?.id ?? "", "a", "cli");
  const titles = (query: Parameters<typeof bench.inbox.list>[0]) =>
    bench.inbox
      .list(query)
      .map(({ title }) => title)
      .join(" ");
  expect(titles({ limit: 3 })).toBe("o q4 q3");
  expect(titles({ limit: 3, before: asked[3]?.id })).toBe("q2 q1 q0");
  expect(titles({ limit: 9, bucket: "done" })).toBe("q0");
  expect(titles({ limit: 9, bucket: "open", laneId: "demo" })).toBe("q4 q3 q2 q1");
  expect(titles({ limit: 9, kind: "review" })).toBe("");
  expect(bench.inbox.countOpen()).toBe(5);
  expect(thrownBy(() => bench.inbox.get("zzz"))).toMatchObject({ code: "inbox.not_found" });
  expect(thrownBy(() => bench.inbox.get("0"))).toMatchObject({ code: "usage.invalid" });
});
