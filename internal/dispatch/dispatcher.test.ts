import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import type { Job } from "../job/index.ts";
import { type Bench, command, isNumbered, openBench, outputOf, phasesOf, settle } from "./testing/bench.ts";

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

describe("submit", () => {
  it("refuses prompts and lanes that are not there, and keeps nothing of them", () => {
    const work = { kind: "prompt", prompt: "hi", agent: null, session: "new" } as const;
    expect(() => submit({ work })).toThrow(code("usage.invalid"));
    expect(() => bench.dispatcher.submit({ laneId: "no", spec: command() })).toThrow(code("lane.not_found"));
    expect(bench.dispatcher.listJobs({ limit: 9 })).toEqual([]);
  });

  it("answers 100 concurrent posts with one key with one job", async () => {
    bench.lane.open();
    const all = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        if (i % 2) await settle();
        return bench.dispatcher.submit({ laneId: "demo", spec: command({ key: "k1" }) });
      }),
    );
    expect(new Set(all.map(({ job }) => job.id)).size).toBe(1);
    expect(all.filter(({ created }) => created)).toHaveLength(1);
    bench.restart();
    expect(bench.dispatcher.submit({ laneId: "demo", spec: command({ key: "k1" }) }).created).toBe(false);
    expect(bench.dispatcher.listJobs({ limit: 9 })).toHaveLength(1);
  });

  it("refuses the same key with another body, in whatever order its fields come", () => {
    const first = submit({ key: "k", argv: ["a"] });
    const { work, ...rest } = command({ key: "k", argv: ["a"] });
    expect(bench.dispatcher.submit({ laneId: "demo", spec: { ...rest, work } }).job.id).toBe(first.id);
    for (const more of [{ argv: ["b"] }, { argv: ["a"], deadlineMs: 1 }, { argv: ["a"], priority: 1 }]) {
      expect(() => submit({ key: "k", ...more })).toThrow(code("request.key_conflict"));
    }
    const other = bench.addLane("other");
    expect(bench.dispatcher.submit({ laneId: other.laneId, spec: command({ key: "k", argv: ["b"] }) }).created).toBe(
      true,
    );
  });

  it("leaves nothing behind when the disk is full, and works again after", async () => {
    bench.lane.open();
    bench.full = true;
    expect(() => submit()).toThrow(code("store.full"));
    expect([bench.activity, bench.logged]).toEqual([[], []]);
    bench.full = false;
    expect(bench.dispatcher.listJobs({ limit: 9 })).toEqual([]);
    const job = submit();
    await settle();
    expect(phase(job)).toBe("accepted");
    expect(new Set(bench.logged.map((line) => line.jobId))).toEqual(new Set([job.id]));
  });
});

describe("cancel", () => {
  it("ends a queued job at once, and an ended one not again", () => {
    const job = submit();
    expect(bench.dispatcher.cancel(job.id).state).toEqual({
      phase: "cancelled",
      attempt: 0,
      result: null,
      forced: false,
    });
    expect(bench.dispatcher.cancel(job.id).state.phase).toBe("cancelled");
    expect(() => bench.dispatcher.cancel("nosuch")).toThrow(code("job.not_found"));
    expect(phasesOf(bench, job.id)).toEqual(["queued", "cancelled"]);
  });

  it("asks the worker, once, and ends with its word", async () => {
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    await settle();
    expect(bench.dispatcher.cancel(job.id).state).toMatchObject({ phase: "running", cancelling: true });
    bench.dispatcher.cancel(job.id);
    await settle();
    expect(bench.lane.calls.filter((call) => call.startsWith("cancel"))).toEqual([`cancel ${job.id}/1`]);
    bench.lane.finish(job.id, {
      kind: "cancelled",
      result: { exitCode: null, signal: "INT", stderrTail: "", truncated: false },
    });
    await settle();
    expect(phase(job)).toBe("cancelled");
  });

  it("lets an end that came first win", async () => {
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    bench.lane.exit(job.id, 0);
    expect(bench.dispatcher.cancel(job.id).state.phase).toBe("succeeded");
  });

  it("is sent again on every link until the attempt has ended, also by another daemon", async () => {
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    await settle();
    bench.lane.cut();
    bench.dispatcher.cancel(job.id);
    bench.lane.open();
    await settle();
    bench.lane.cut();
    bench.restart();
    bench.lane.open();
    await settle();
    expect(bench.lane.calls.filter((call) => call.startsWith("cancel"))).toHaveLength(2);
    expect(bench.dispatcher.findJob(job.id).state).toMatchObject({
      phase: "running",
      cancelling: true,
      reachable: true,
    });
  });

  it("does not send a job at all that was cancelled while its work was being prepared", async () => {
    const job = submit();
    bench.lane.open();
    bench.dispatcher.cancel(job.id);
    await settle();
    expect([phase(job), bench.lane.calls]).toEqual(["cancelled", []]);
  });

  it("starts the next job when a cancelled one has gone", async () => {
    bench.lane.open();
    const [first, second] = [submit(), submit()];
    bench.dispatcher.cancel(first.id);
    await settle();
    expect([phase(first), phase(second)]).toEqual(["cancelled", "accepted"]);
  });
});

describe("retry", () => {
  it("queues another attempt of what failed, numbers it on, and keeps one log", async () => {
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    bench.lane.exit(job.id, 1);
    await settle();
    bench.dispatcher.retry(job.id);
    await settle();
    bench.lane.begin(job.id, 2);
    bench.lane.exit(job.id, 0, 2);
    await settle();
    expect(bench.dispatcher.findJob(job.id).state).toMatchObject({ phase: "succeeded", attempt: 2 });
    expect(isNumbered(bench, job.id)).toBe(true);
    expect(bench.store.jobs.listAttempts(job.id).map((one) => one.outcome?.phase)).toEqual(["failed", "succeeded"]);
    expect(bench.lane.ledger).toEqual([`${job.id}/1`, `${job.id}/2`]);
  });

  it("refuses what succeeded, what has not ended, and what has no lane any more", async () => {
    const job = submit();
    expect(() => bench.dispatcher.retry(job.id)).toThrow(code("request.invalid"));
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    bench.lane.exit(job.id, 0);
    await settle();
    expect(() => bench.dispatcher.retry(job.id)).toThrow(code("request.invalid"));
    const other = submit();
    bench.dispatcher.cancel(other.id);
    await settle();
    bench.store.lanes.deleteLane("demo");
    expect(() => bench.dispatcher.retry(other.id)).toThrow(code("lane.not_found"));
  });
});

describe("refusals", () => {
  it("fails a job that the worker refuses, and goes on with the next", async () => {
    bench.lane.open();
    bench.lane.fault = { kind: "refuse", code: "invalid_work" };
    const [job, next] = [submit(), submit()];
    await settle();
    expect(bench.dispatcher.findJob(job.id).state).toMatchObject({
      phase: "failed",
      error: { code: "refused", message: "invalid_work: refused: invalid_work" },
    });
    expect(phase(next)).toBe("accepted");
  });

  it.each(["stale_generation", "stopping"])(
    "takes a job back that a worker of another life refuses: %s",
    async (reason) => {
      bench.lane.open();
      bench.lane.fault = { kind: "refuse", code: reason };
      const job = submit();
      await settle();
      expect(bench.dispatcher.findJob(job.id).state).toMatchObject({ phase: "queued", attempt: 0 });
      expect(bench.drops).toHaveLength(1);
      bench.lane.generation = 2;
      bench.lane.open();
      await settle();
      expect(bench.dispatcher.findJob(job.id).state).toMatchObject({ phase: "accepted", attempt: 1, generation: 2 });
      expect(isNumbered(bench, job.id)).toBe(true);
    },
  );

  it("fails a job that cannot be sent at all", async () => {
    const link = bench.lane.open();
    const error = new AppError({ code: "request.too_large", message: "2 MiB do not fit a frame" });
    Object.assign(link, { start: () => Promise.reject(error) });
    const job = submit();
    await settle();
    expect(bench.dispatcher.findJob(job.id).state).toMatchObject({ phase: "failed", error: { code: "refused" } });
    expect(bench.drops).toEqual([]);
  });

  it("leaves an attempt alone that the worker had taken and now refuses to start: the next link resolves it", async () => {
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.crash();
    bench.lane.fault = { kind: "refuse", code: "invalid_work" };
    bench.lane.open();
    await settle();
    expect([phase(job), bench.drops.length]).toEqual(["accepted", 1]);
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    bench.lane.exit(job.id, 0);
    await settle();
    expect(phase(job)).toBe("succeeded");
  });

  it("asks a worker that does not answer again on another link", async () => {
    bench.lane.open();
    bench.lane.fault = { kind: "lose_reply" };
    const job = submit();
    await settle();
    bench.clock.advance(29_999);
    await settle();
    expect(bench.drops).toEqual([]);
    bench.clock.advance(1);
    await settle();
    expect(bench.drops.map((error) => error.code)).toEqual(["timeout"]);
    bench.lane.open();
    await settle();
    expect([phase(job), bench.clock.timers]).toEqual(["accepted", 0]);
  });

  it("sends nothing more on a link whose worker is of another life", async () => {
    bench.slow = true;
    bench.lane.open();
    bench.lane.fault = { kind: "refuse", code: "stale_generation" };
    submit();
    await settle();
    submit();
    await settle();
    expect([bench.drops.length, bench.lane.calls.length, bench.dispatcher.queued("demo")]).toEqual([1, 1, 2]);
  });

  it("fails a job whose work cannot be made", async () => {
    await bench[Symbol.asyncDispose]();
    bench = openBench({
      work: {
        check: () => {},
        resolve: async () => {
          throw new Error("no such agent");
        },
      },
    });
    bench.lane.open();
    const job = submit();
    await settle();
    expect(bench.dispatcher.findJob(job.id).state).toMatchObject({ phase: "failed", error: { code: "start_failed" } });
    expect(bench.lane.calls).toEqual([]);
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

describe("a full disk while working", () => {
  it("acknowledges nothing, drops the link, and gets it all again", async () => {
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    await settle();
    bench.full = true;
    bench.lane.output(job.id, "a");
    bench.lane.exit(job.id, 0);
    await settle();
    expect(bench.drops.map((error: AppError) => error.code)).toEqual(["store.full"]);
    expect(bench.lane.spool().get(`${job.id}/1`)?.acked).toBe(1);
    bench.full = false;
    bench.lane.open();
    await settle();
    expect([phase(job), outputOf(bench, job.id), isNumbered(bench, job.id)]).toEqual(["succeeded", "a", true]);
  });

  it("tries a lane again by itself whose next job could not be taken", async () => {
    bench.lane.open();
    bench.dispatcher.pause("demo", "x");
    const job = submit();
    await settle();
    bench.full = true;
    bench.dispatcher.resume("demo");
    expect(phase(job)).toBe("queued");
    bench.full = false;
    bench.clock.advance(2000);
    await settle();
    expect(phase(job)).toBe("accepted");
  });
});
