import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AppError } from "../base/index.ts";
import type { Job } from "../job/index.ts";
import { type Bench, command, isNumbered, openBench, outputOf, settle } from "./testing/bench.ts";

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

const submit = (more: Parameters<typeof command>[0] = {}): Job =>
  bench.dispatcher.submit({ laneId: "demo", spec: command(more) }).job;
const phase = (job: Job) => bench.dispatcher.findJob(job.id).state.phase;

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

  it("lets no late answer of a replaced link decide anything", async () => {
    // Found by the interleaving test: it held the lane back for ever.
    const job = submit();
    const link = bench.lane.open();
    let refuse: (error: Error) => void = () => {};
    Object.assign(link, {
      start: () => {
        return new Promise((_, reject) => {
          refuse = reject;
        });
      },
    });
    await settle();
    bench.lane.cut();
    bench.lane.open();
    refuse(new AppError({ code: "worker.refused", message: "no", details: { code: "stale_generation" } }));
    await settle();
    expect([phase(job), bench.drops]).toEqual(["accepted", []]);
    bench.lane.begin(job.id);
    bench.lane.exit(job.id, 0);
    const next = submit();
    await settle();
    expect([phase(job), phase(next)]).toEqual(["succeeded", "accepted"]);
  });

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
    // One: the look at active jobs.
    expect([phase(job), bench.clock.timers]).toEqual(["accepted", 1]);
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
        settle: (spec) => spec,
        holdOf: () => null,
        judge: () => null,
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

  it.each(["store.full", "store.failed"] as const)("tries a lane again by itself after %s", async (code) => {
    bench.lane.open();
    bench.dispatcher.pause("demo", "x");
    const job = submit();
    await settle();
    const transaction = vi.spyOn(bench.store, "transaction").mockImplementation(() => {
      throw new AppError({ code, message: "not now" });
    });
    bench.dispatcher.resume("demo");
    expect(phase(job)).toBe("queued");
    transaction.mockRestore();
    bench.clock.advance(2000);
    await settle();
    expect(phase(job)).toBe("accepted");
  });
});
