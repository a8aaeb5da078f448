import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import type { Job } from "../job/index.ts";
import { type Bench, command, openBench, settle } from "./testing/bench.ts";
import { createWakeHub } from "./wake-hub.ts";

/** Timers of the look at active jobs. */
const WATCH = 1;

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

const code = (value: string) => expect.objectContaining({ code: value });

async function running(): Promise<Job> {
  const { job } = bench.dispatcher.submit({ laneId: "demo", spec: command() });
  bench.lane.open();
  await settle();
  bench.lane.begin(job.id);
  await settle();
  return job;
}

/** Follows in the background. */
function collect(job: string, opts: { readonly after?: number; readonly signal?: AbortSignal } = {}) {
  const seen: number[] = [];
  const done = (async () => {
    for await (const event of bench.dispatcher.follow(job, { after: opts.after ?? 0, signal: opts.signal })) {
      seen.push(event.seq);
    }
  })();
  return { seen, done };
}

const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => i + from);

describe("follow", () => {
  it("catches up, goes on live, and ends with the job", async () => {
    const job = await running();
    const { seen, done } = collect(job.id);
    await settle();
    expect(seen).toEqual(upTo(5));
    for (let i = 0; i < 200; i++) bench.lane.output(job.id, "x");
    await settle();
    expect(seen).toEqual(upTo(205));
    bench.lane.exit(job.id, 0);
    await done;
    expect(seen).toEqual(upTo(207));
    const again = collect(job.id, { after: 200 });
    await again.done;
    expect(again.seen).toEqual(upTo(207, 201));
  });

  it("gives all to many readers, the slow ones from the store", async () => {
    const job = await running();
    const readers = upTo(5).map(() => collect(job.id));
    const slow = bench.dispatcher.follow(job.id, { after: 0 });
    await slow.next();
    for (let i = 0; i < 1000; i++) bench.lane.output(job.id, "x");
    bench.lane.exit(job.id, 0);
    await Promise.all(readers.map((reader) => reader.done));
    for (const reader of readers) expect(reader.seen).toEqual(upTo(1007));
    const rest: number[] = [];
    for await (const event of slow) rest.push(event.seq);
    expect(rest).toEqual(upTo(1007, 2));
  });

  it("rejects with the reason when the caller goes away, and on a job that is not there", async () => {
    const job = await running();
    const caller = new AbortController();
    const { done } = collect(job.id, { signal: caller.signal });
    await settle();
    caller.abort(new AppError({ code: "daemon.stopping", message: "stopping" }));
    await expect(done).rejects.toThrow(code("daemon.stopping"));
    await expect(collect("nosuch").done).rejects.toThrow(code("job.not_found"));
  });

  it("goes on over a retry by the job's own policy", async () => {
    const { job } = bench.dispatcher.submit({ laneId: "demo", spec: command({ retry: "on_lost" }) });
    bench.lane.open();
    await settle();
    const { seen, done } = collect(job.id);
    bench.lane.crash();
    bench.lane.wipe();
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id, 2);
    bench.lane.exit(job.id, 0, 2);
    await done;
    expect(seen).toEqual(upTo(seen.length));
    expect(seen.length).toBe(bench.store.jobs.readEvents(job.id, { after: 0, limit: 99 }).length);
  });
});

describe("waitJob", () => {
  it("resolves when the job has ended, at once when it has already", async () => {
    const job = await running();
    const waited = bench.dispatcher.waitJob(job.id, {});
    bench.lane.exit(job.id, 4);
    expect((await waited).state).toMatchObject({ phase: "failed", result: { exitCode: 4 } });
    expect((await bench.dispatcher.waitJob(job.id, { timeoutMs: 1 })).state.phase).toBe("failed");
    expect(bench.clock.timers).toBe(WATCH);
  });

  it("tells its own deadline from the caller's going away, and leaves no timer", async () => {
    const job = await running();
    const late = bench.dispatcher.waitJob(job.id, { timeoutMs: 1000 });
    bench.clock.advance(1000);
    await expect(late).rejects.toThrow(code("timeout"));
    const caller = new AbortController();
    const left = bench.dispatcher.waitJob(job.id, { timeoutMs: 1000, signal: caller.signal });
    caller.abort();
    await expect(left).rejects.toThrow(code("cancelled"));
    expect(bench.clock.timers).toBe(WATCH);
    await expect(bench.dispatcher.waitJob("nosuch", {})).rejects.toThrow(code("job.not_found"));
  });
});

describe("the hub", () => {
  it("forgets those who stopped watching and misses nothing between looking and waiting", async () => {
    const hub = createWakeHub();
    const one = hub.watch("j");
    const two = hub.watch("j");
    hub.wake("j");
    await one.next({});
    const waiting = two.next({}).then(() => two.next({}));
    hub.wake("j");
    await settle();
    hub.wake("j");
    await waiting;
    const caller = new AbortController();
    await one.next({});
    const gone = one.next({ signal: caller.signal });
    caller.abort();
    await expect(gone).rejects.toThrow(code("cancelled"));
    one[Symbol.dispose]();
    two[Symbol.dispose]();
    two[Symbol.dispose]();
    expect(hub.size).toBe(0);
  });
});
