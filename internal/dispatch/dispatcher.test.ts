import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job } from "../job/index.ts";
import { type Bench, command, openBench, phasesOf, settle } from "./testing/bench.ts";

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

const code = (value: string) => expect.objectContaining({ code: value });
const submit = (more: Parameters<typeof command>[0] = {}): Job =>
  bench.dispatcher.submit({ laneId: "demo", spec: command(more) }).job;
const phase = (job: Job) => bench.dispatcher.findJob(job.id).state.phase;

describe("a job's way", () => {
  it("goes from queued to succeeded, each step on record, logged 1..n, acknowledged", async () => {
    const job = submit();
    expect(phase(job)).toBe("queued");
    bench.lane.open();
    expect(phase(job)).toBe("dispatching");
    await settle();
    expect(phase(job)).toBe("accepted");
    bench.lane.begin(job.id);
    bench.clock.advance(50);
    bench.lane.output(job.id, "hello\n");
    bench.lane.exit(job.id, 0);
    await settle();
    const done = bench.dispatcher.findJob(job.id);
    expect(done.state).toMatchObject({ phase: "succeeded", attempt: 1, result: { exitCode: 0 } });
    expect([done.startedAtMs, done.endedAtMs]).toEqual([job.createdAtMs, job.createdAtMs + 50]);
    expect(
      bench.store.jobs.readEvents(job.id, { after: 0, limit: 99 }).map((event) => [event.seq, event.type]),
    ).toEqual([
      [1, "state"],
      [2, "state"],
      [3, "state"],
      [4, "started"],
      [5, "state"],
      [6, "output"],
      [7, "finished"],
      [8, "state"],
    ]);
    expect(phasesOf(bench, job.id)).toEqual(["queued", "dispatching", "accepted", "running", "succeeded"]);
    expect(bench.lane.spool().get(`${job.id}/1`)?.acked).toBe(3);
    expect(bench.store.jobs.listAttempts(job.id)).toMatchObject([{ finished: true, outcome: { phase: "succeeded" } }]);
  });

  it("tells the feed and whoever watches the lane", async () => {
    const before = bench.store.feed.latest();
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    bench.lane.exit(job.id, 3);
    await settle();
    const entries = bench.store.feed.readAfter(before, 99);
    expect(entries.map((entry) => entry.type)).toEqual([
      "job.queued",
      "job.dispatching",
      "job.accepted",
      "job.running",
      "job.failed",
    ]);
    expect(entries.at(-1)).toMatchObject({
      lane: "demo",
      job: job.id,
      data: { attempt: 1, exitCode: 3, from: "running" },
    });
    expect(bench.activity.length).toBeGreaterThanOrEqual(4);
    expect(bench.logged.filter((line) => line.msg === "job state changed")).toHaveLength(5);
  });

  it("sends the resolved work, the hash of the body and the generation", async () => {
    bench.lane.generation = 7;
    const link = bench.lane.open();
    const sent: unknown[] = [];
    Object.assign(link, { start: async (request: unknown) => sent.push(request) });
    const job = submit({ argv: ["ls", "-l"], deadlineMs: 5000 });
    await settle();
    expect(sent).toEqual([
      {
        job: job.id,
        attempt: 1,
        generation: 7,
        bodyHash: job.bodyHash,
        work: {
          argv: ["ls", "-l"],
          env: {},
          cwd: "/workspace",
          stdin: null,
          deadlineMs: 5000,
          outputCapBytes: 67_108_864,
        },
      },
    ]);
  });

  it.each([
    [
      "exit",
      { kind: "exited", result: { exitCode: 2, signal: null, stderrTail: "no", truncated: false } },
      "failed",
      "exit",
    ],
    [
      "signal",
      { kind: "exited", result: { exitCode: null, signal: "KILL", stderrTail: "", truncated: false } },
      "failed",
      "signal",
    ],
    [
      "deadline",
      {
        kind: "failed",
        error: { code: "deadline", message: "5 s" },
        result: { exitCode: null, signal: "TERM", stderrTail: "", truncated: true },
      },
      "failed",
      "deadline",
    ],
    [
      "cancelled",
      { kind: "cancelled", result: { exitCode: null, signal: "INT", stderrTail: "", truncated: false } },
      "cancelled",
      undefined,
    ],
  ] as const)("ends as the worker says: %s", async (_, outcome, expected, errorCode) => {
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    bench.lane.finish(job.id, outcome);
    await settle();
    const { state } = bench.dispatcher.findJob(job.id);
    expect([state.phase, "error" in state ? state.error.code : undefined]).toEqual([expected, errorCode]);
    expect(state).toMatchObject({ result: outcome.result });
  });

  it("runs one at a time, by priority, then in order", async () => {
    bench.lane.open();
    const jobs = [0, 0, 9].map((priority) => submit({ priority }));
    const order = [jobs[0], jobs[2], jobs[1]];
    for (const job of order) {
      await settle();
      expect([bench.dispatcher.busy("demo"), bench.store.jobs.listActive("demo").map((one) => one.id)]).toEqual([
        true,
        [job?.id],
      ]);
      bench.lane.begin(job?.id ?? "");
      bench.lane.exit(job?.id ?? "", 0);
    }
    await settle();
    expect([bench.dispatcher.busy("demo"), bench.dispatcher.queued("demo")]).toEqual([false, 0]);
  });

  it("has `dispatching` on the disk before anything is sent", async () => {
    const job = submit();
    let seen: string | undefined;
    const original = bench.lane.open;
    const link = original();
    bench.lane.cut();
    await settle();
    Object.assign(link, {
      start: async () => {
        const raw = bench.store.jobs.find(job.id);
        seen = raw?.state.phase;
        return { job: job.id, attempt: 1, bodyHash: job.bodyHash, state: "accepted", lastSeq: 0 };
      },
    });
    bench.dispatcher.attachLink(link);
    await settle();
    expect(seen).toBe("dispatching");
  });
});

describe("draining and waiting", () => {
  it("starts nothing while paused, says why, and goes on after", async () => {
    bench.lane.open();
    const first = submit();
    await settle();
    bench.dispatcher.pause("demo", "lane is draining: drift");
    bench.lane.begin(first.id);
    bench.lane.exit(first.id, 0);
    const second = submit();
    await settle();
    expect([bench.dispatcher.busy("demo"), bench.dispatcher.queued("demo")]).toEqual([false, 1]);
    expect(bench.dispatcher.findJob(second.id).state).toMatchObject({ waiting: "lane is draining: drift" });
    bench.dispatcher.resume("demo");
    await settle();
    expect(phase(second)).toBe("accepted");
  });

  it("writes a reason only when it changes, also after a restart", () => {
    const job = submit();
    bench.dispatcher.setWaiting("demo", "lane is stopped");
    const seq = bench.store.feed.latest();
    for (let i = 0; i < 5; i++) bench.dispatcher.setWaiting("demo", "lane is stopped");
    bench.restart();
    bench.dispatcher.setWaiting("demo", "lane is stopped");
    expect(bench.store.feed.latest()).toBe(seq);
    expect(bench.dispatcher.findJob(job.id).state).toMatchObject({ waiting: "lane is stopped" });
    bench.dispatcher.setWaiting("demo", null);
    expect(bench.dispatcher.findJob(job.id).state).toMatchObject({ waiting: null });
    expect(bench.store.feed.readAfter(seq, 9).map((entry) => entry.type)).toEqual(["job.waiting"]);
  });
});

describe("finding", () => {
  it("takes ids and unique prefixes", () => {
    const [one, two] = [submit(), submit()];
    const apart = [...one.id].findIndex((letter, i) => letter !== two.id[i]);
    expect(bench.dispatcher.findJob(one.id.toUpperCase()).id).toBe(one.id);
    expect(bench.dispatcher.findJob(two.id.slice(0, apart + 1)).id).toBe(two.id);
    expect(() => bench.dispatcher.findJob(one.id.slice(0, 5))).toThrow(code("usage.invalid"));
    for (const text of ["zz", "", "%", `${one.id}x`])
      expect(() => bench.dispatcher.findJob(text)).toThrow(code("job.not_found"));
    expect(() => bench.dispatcher.readEvents("zz", { after: 0, limit: 1 })).toThrow(code("job.not_found"));
    expect(bench.dispatcher.listJobs({ laneId: "demo", limit: 1 }).map((job) => job.id)).toEqual([two.id]);
  });
});
