import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Raise } from "./system.ts";
import { type InboxBench, openInboxBench, thrownBy } from "./testing.ts";

let bench: InboxBench;
beforeEach(() => {
  bench = openInboxBench();
});
afterEach(() => bench[Symbol.dispose]());

const drift = (occurrence: string, more: Partial<Raise> = {}): Raise => ({
  kind: "drift",
  subject: "drift:demo",
  occurrence,
  laneId: "demo",
  jobId: null,
  title: `drift ${occurrence}`,
  choices: ["recreate"],
  ...more,
});
const shown = () => bench.inbox.list({ limit: 50 }).map(({ title, state }) => `${title} ${state.phase}`);
const newest = () => bench.inbox.list({ limit: 1 })[0]?.id ?? "";
const entries = () => bench.store.feed.readAfter(0, 1000).filter(({ type }) => type.startsWith("inbox.")).length;

describe("what the system says", () => {
  it("is one item of a subject at a time, brought up to date, and silent when nothing is new", () => {
    bench.inbox.raise(drift("1"));
    bench.inbox.raise(drift("1"));
    expect(entries()).toBe(1);
    bench.inbox.raise(drift("2"));
    expect([shown(), entries()]).toEqual([["drift 2 open"], 2]);
    bench.inbox.snooze(newest(), 60_000);
    bench.inbox.raise(drift("3"));
    expect(shown()).toEqual(["drift 3 snoozed"]);
  });

  it("counts as not read again when it says something else", () => {
    bench.inbox.raise(drift("1"));
    expect(bench.inbox.markRead(newest(), true).isRead).toBe(true);
    bench.inbox.raise(drift("1"));
    expect(bench.inbox.get(newest()).isRead).toBe(true);
    bench.inbox.raise(drift("2"));
    expect(bench.inbox.get(newest()).isRead).toBe(false);
  });

  it("comes again when it was over, and as another occurrence only when a person has seen to it", () => {
    bench.inbox.raise(drift("1"));
    bench.inbox.resolve("drift:demo");
    bench.inbox.resolve("drift:demo");
    bench.inbox.raise(drift("1"));
    expect(shown()).toEqual(["drift 1 open", "drift 1 done"]);
    bench.inbox.done(newest(), "page");
    bench.kill();
    bench.inbox.raise(drift("1"));
    expect(shown()).toEqual(["drift 1 done", "drift 1 done"]);
    bench.inbox.raise(drift("2"));
    bench.inbox.answer(newest(), "recreate", "cli");
    bench.inbox.raise(drift("2"));
    expect(shown()).toEqual(["drift 2 answered", "drift 1 done", "drift 1 done"]);
  });

  it("is answered by one of its choices, with a reason if need be, and acted on once", () => {
    bench.inbox.raise(drift("1"));
    expect(thrownBy(() => bench.inbox.answer(newest(), "whatever", "cli"))).toMatchObject({
      code: "request.invalid",
      hint: "answer recreate",
    });
    bench.inbox.answer(newest(), "recreate: it is time", "cli");
    bench.inbox.answer(newest(), "recreate: it is time", "cli");
    expect(bench.answered).toEqual([["drift", "recreate"]]);
    bench.inbox.raise(drift("r", { kind: "review", subject: "review:demo", choices: [] }));
    expect(thrownBy(() => bench.inbox.answer(newest(), "fine", "cli"))).toMatchObject({ code: "request.invalid" });
  });

  it("comes back when it is reopened, unless there is a newer one", () => {
    bench.inbox.raise(drift("1"));
    const first = newest();
    bench.inbox.done(first, "cli");
    bench.inbox.reopen(first);
    expect(shown()).toEqual(["drift 1 open"]);
    bench.inbox.done(first, "cli");
    bench.inbox.raise(drift("2"));
    expect(thrownBy(() => bench.inbox.reopen(first))).toMatchObject({ code: "inbox.expired" });
  });
});

describe("tasks", () => {
  const propose = (title = "t", key: string | null = null) =>
    bench.inbox.createTask(bench.call({ title, body: "b" }, { key }));

  it("are proposals that a person accepts or rejects", () => {
    const [first, second, third] = [propose("one", "k"), propose("two"), propose("three")];
    expect(propose("one", "k").id).toBe(first.id);
    expect(shown()).toEqual(["three open", "two open", "one open"]);
    const [, two, one] = bench.inbox.list({ limit: 3 });
    bench.inbox.answer(one?.id ?? "", "accept", "page");
    bench.inbox.done(two?.id ?? "", "page");
    bench.inbox.finishTask(third.id, "demo");
    expect(shown()).toEqual(["three done", "two done", "one answered"]);
    expect(bench.inbox.tasks("demo").map(({ state }) => state)).toEqual(["done", "rejected", "accepted"]);
    expect(bench.accepted).toMatchObject([{ id: first.id, title: "one", body: "b", parent: "j1" }]);
    expect(bench.inbox.dueTasks()).toMatchObject([{ id: first.id }]);
    bench.inbox.startTask(first.id, "j7");
    bench.kill();
    expect(bench.inbox.dueTasks()).toEqual([]);
    bench.inbox.jobSucceeded("j7");
    expect(bench.inbox.tasks(null)[2]).toMatchObject({ state: "done", job: "j7" });
    expect(thrownBy(() => bench.inbox.finishTask(second.id, "demo"))).toMatchObject({ code: "inbox.answered" });
    expect(thrownBy(() => bench.inbox.finishTask(third.id, "other"))).toMatchObject({ code: "inbox.not_found" });
    expect(bench.inbox.tasks("other")).toEqual([]);
  });

  it("are accepted by the installation's policy without an item", () => {
    const auto = openInboxBench({ acceptTasks: "auto" });
    const task = auto.inbox.createTask(auto.call({ title: "t" }));
    expect([task.state, auto.accepted.length, auto.inbox.countOpen()]).toEqual(["accepted", 1, 0]);
    auto[Symbol.dispose]();
  });

  it("are at most 50 of a job, 20 that wait", () => {
    for (let i = 0; i < 20; i++) propose(`t${i}`);
    expect(thrownBy(() => propose("more"))).toMatchObject({ code: "inbox.full" });
    for (const { id } of bench.inbox.tasks("demo")) bench.inbox.finishTask(id, "demo");
    for (let i = 0; i < 30; i++) bench.inbox.finishTask(propose(`u${i}`).id, "demo");
    expect(thrownBy(() => propose("more"))).toMatchObject({ code: "inbox.full" });
  });
});

describe("reports", () => {
  it("go into the job's log; the last of level done is its summary", () => {
    const report = (level: "info" | "done", body: string) =>
      bench.inbox.report(bench.call({ level, body, files: ["a/b", "/workspace/c"] }));
    expect([report("info", "on it"), report("done", "first"), report("done", "hunter2hunter2")]).toEqual([
      null,
      null,
      null,
    ]);
    const files = ["a/b", "c"];
    expect(bench.words).toEqual([
      { type: "report", level: "info", text: "on it", files },
      { type: "report", level: "done", text: "first", files },
      { type: "report", level: "done", text: "[redacted]", files },
    ]);
    bench.kill();
    expect(bench.store.laneCalls.findSummary("j1")).toBe("[redacted]");
    expect(bench.store.laneCalls.findSummary("j2")).toBeNull();
  });

  it("of what is blocked are questions, whose answer wakes the job", () => {
    const call = bench.call({ level: "blocked" as const, body: "No key.\n\nGive me one." }, { key: "k" });
    const id = bench.inbox.report(call);
    expect(bench.inbox.report(call)).toBe(id);
    expect(bench.inbox.get(id ?? "")).toMatchObject({
      kind: "question",
      title: "No key.",
      body: "No key.\n\nGive me one.",
      jobId: "j1",
    });
    expect(bench.words).toEqual([
      { type: "report", level: "blocked", text: "No key.\n\nGive me one.", files: [] },
      { type: "ask", question: "No key.", choices: [], item: id },
    ]);
    bench.inbox.answer(id ?? "", "here", "cli");
    expect(bench.resumed).toEqual(["j1"]);
  });

  it.each(["../x", "/etc/passwd", "a/../../b", ".git/config", "a/.git/hooks/x", "", "/workspace/"])(
    "refuse the path %j",
    (path) => {
      const call = bench.call({ level: "info" as const, body: "x", files: [path] });
      expect(thrownBy(() => bench.inbox.report(call))).toMatchObject({ code: "request.invalid" });
      expect(bench.words).toEqual([]);
    },
  );

  it("are at most 100 of a job", () => {
    for (let i = 0; i < 100; i++) bench.inbox.report(bench.call({ level: "info", body: `${i}` }));
    expect(thrownBy(() => bench.inbox.report(bench.call({ level: "info", body: "x" })))).toMatchObject({
      code: "inbox.full",
    });
  });
});
