import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job } from "../job/index.ts";
import { type Bench, command, isNumbered, openBench, phasesOf, settle } from "./testing/bench.ts";

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

const code = (value: string) => expect.objectContaining({ code: value });
const submit = (more: Parameters<typeof command>[0] = {}): Job =>
  bench.dispatcher.submit({ laneId: "demo", spec: command(more) }).job;
const phase = (job: Job) => bench.dispatcher.findJob(job.id).state.phase;

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

  it("by taking back ends what is queued, and never what has started", async () => {
    const job = submit();
    const next = submit();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    await settle();
    expect(() => bench.dispatcher.withdraw(job.id)).toThrow(code("job.started"));
    expect(phase(job)).toBe("running");
    expect(bench.dispatcher.withdraw(next.id).state.phase).toBe("cancelled");
    expect(bench.lane.calls.filter((call) => call.startsWith("cancel"))).toEqual([]);
    expect(() => bench.dispatcher.withdraw(next.id)).toThrow(code("job.started"));
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
