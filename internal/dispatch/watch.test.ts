import { afterEach, describe, expect, it } from "vitest";
import type { Job } from "../job/index.ts";
import type { DispatchPolicy } from "./policy.ts";
import { type Bench, command, openBench, phasesOf, settle } from "./testing/bench.ts";
import { result } from "./testing/fake-lane.ts";

let bench: Bench;
afterEach(() => bench[Symbol.asyncDispose]());

const MINUTE = 60_000;
const stateOf = (job: Job) => bench.dispatcher.findJob(job.id).state;
const progressOf = (job: Job) => bench.dispatcher.progressOf(bench.dispatcher.findJob(job.id));
const feedOf = (...types: readonly string[]) =>
  bench.store.feed.readAfter(0, 1000).filter((entry) => types.includes(entry.type));

/** A job that runs. */
async function open(policy: Partial<DispatchPolicy> = {}): Promise<Job> {
  bench = openBench({ policy });
  const { job } = bench.dispatcher.submit({ laneId: "demo", spec: command() });
  bench.lane.open();
  await settle();
  bench.lane.begin(job.id);
  await settle();
  return job;
}

/** Lets time go on, with a heartbeat every 10 s: of processes that do nothing, unless `cpuTicks` says more. */
function live(job: Job, ms: number, opts: { readonly cpuTicks?: () => number; readonly generation?: number } = {}) {
  const { cpuTicks = () => 7, generation = bench.lane.generation } = opts;
  for (let past = 0; past < ms; past += 10_000) {
    bench.clock.advance(10_000);
    const usage = { processes: 1, cpuTicks: cpuTicks() };
    bench.dispatcher.onHeartbeat("demo", generation, [{ job: job.id, attempt: 1, usage }]);
  }
  bench.clock.advance(1000);
}

describe("a job that gets nowhere", () => {
  it("is told once, with the time of its last progress, and goes on", async () => {
    const job = await open();
    const startedAt = bench.clock.nowMs();
    live(job, 10 * MINUTE);
    expect(progressOf(job)).toEqual({ lastAtMs: startedAt, stuckForMs: null });
    expect([feedOf("job.stuck"), bench.dispatcher.countStuck()]).toEqual([[], 0]);
    live(job, 5 * MINUTE);
    expect(progressOf(job)?.stuckForMs).toBeGreaterThanOrEqual(14 * MINUTE);
    expect(feedOf("job.stuck")).toMatchObject([
      { lane: "demo", job: job.id, data: { attempt: 1, lastProgressAtMs: startedAt, action: "tell" } },
    ]);
    expect([stateOf(job).phase, bench.dispatcher.countStuck(), bench.lane.calls]).toEqual([
      "running",
      1,
      [`start ${job.id}/1 g1`],
    ]);
  });

  it("is not stuck while a person is to answer its agent", async () => {
    const job = await open({ stuckAction: "cancel" });
    const id = bench.questions.ask(job.id);
    live(job, 60 * MINUTE);
    expect([feedOf("job.stuck"), stateOf(job)]).toMatchObject([[], { phase: "running", cancelling: false }]);
    bench.questions.answer(id);
    bench.questions.markDelivered([id]);
    live(job, 12 * MINUTE);
    expect(feedOf("job.stuck")).toHaveLength(1);
  });

  it("is stuck no more when it says something", async () => {
    const job = await open();
    live(job, 12 * MINUTE);
    bench.lane.output(job.id, "thought about it\n");
    await settle();
    expect(progressOf(job)).toEqual({ lastAtMs: bench.clock.nowMs(), stuckForMs: null });
    expect(bench.dispatcher.countStuck()).toBe(0);
    live(job, MINUTE);
    expect(feedOf("job.stuck", "job.moving").map(({ type }) => type)).toEqual(["job.stuck", "job.moving"]);
    live(job, 10 * MINUTE);
    expect(feedOf("job.stuck")).toHaveLength(2);
    bench.lane.exit(job.id, 0);
    await settle();
    bench.clock.advance(1000);
    expect([progressOf(job), bench.dispatcher.countStuck()]).toEqual([null, 0]);
  });

  it("is cancelled where that is wanted", async () => {
    const job = await open({ stuckAction: "cancel" });
    live(job, 11 * MINUTE);
    expect(stateOf(job)).toMatchObject({ phase: "running", cancelling: true });
    expect(bench.lane.calls).toContain(`cancel ${job.id}/1`);
    const details = bench.store.jobs
      .readEvents(job.id, { after: 0, limit: 100 })
      .flatMap((event) => (event.type === "state" ? [event.detail] : []));
    expect(details).toContain("cancel requested: no progress for 10m");
  });

  it.each([
    ["works in silence", {}, () => live0(bench.dispatcher.listJobs({ limit: 1 })[0] as Job)],
    ["may do so for ever", { stuckAfterMs: null }, (job: Job) => live(job, 60 * MINUTE)],
    ["is out of sight", { stuckAction: "cancel" as const }, () => bench.clock.advance(60 * MINUTE)],
  ])("is not stuck when it %s", async (_, policy, pass) => {
    const job = await open(policy);
    pass(job);
    expect([feedOf("job.stuck"), progressOf(job)?.stuckForMs, stateOf(job)]).toMatchObject([
      [],
      null,
      { phase: "running", cancelling: false },
    ]);
  });

  it("counts only its own generation's heartbeats", async () => {
    const job = await open();
    live(job, 5 * MINUTE);
    // The lane's next container took it over from the volume.
    bench.lane.cut();
    bench.lane.generation = 2;
    bench.lane.open();
    await settle();
    const before = progressOf(job);
    let ticks = 100;
    live(job, MINUTE, { generation: 1, cpuTicks: () => ticks++ });
    expect(progressOf(job)?.lastAtMs).toBe(before?.lastAtMs === undefined ? undefined : null);
    live(job, 12 * MINUTE);
    expect(feedOf("job.stuck")).toHaveLength(1);
  });

  it("costs nothing while no job is active", async () => {
    const job = await open();
    bench.lane.exit(job.id, 0);
    await settle();
    bench.clock.advance(1000);
    expect(bench.clock.timers).toBe(0);
  });
});

/** An hour of work that can be seen by its CPU time alone. */
function live0(job: Job): void {
  let ticks = 0;
  live(job, 60 * MINUTE, { cpuTicks: () => ticks++ });
}

describe("a cancel that its worker does not confirm", () => {
  const wanted = "demo g1 cancel_unanswered";

  it("has the container ended after its own time, and is done with the proof of death", async () => {
    const job = await open();
    bench.dispatcher.cancel(job.id);
    bench.clock.advance(60_000);
    expect(bench.ends).toEqual([]);
    bench.clock.advance(1000);
    expect(bench.ends).toEqual([wanted]);
    bench.lane.crash();
    bench.dispatcher.onLaneDead({ laneId: "demo", generation: 1, volumeIntact: true });
    expect(stateOf(job)).toMatchObject({ phase: "cancelled", forced: true });
    expect(phasesOf(bench, job.id).at(-1)).toBe("cancelled");
    bench.clock.advance(1000);
    expect([bench.clock.timers, bench.ends]).toEqual([0, [wanted]]);
  });

  it("waits no longer for a link that comes and goes", async () => {
    const job = await open();
    bench.dispatcher.cancel(job.id);
    for (let second = 0; second < 61; second += 4) {
      bench.clock.advance(3000);
      bench.lane.cut();
      bench.clock.advance(1000);
      bench.lane.open();
      await settle();
    }
    expect(bench.lane.calls.filter((call) => call.startsWith("cancel")).length).toBeGreaterThan(10);
    expect(bench.ends).toEqual([wanted]);
  });

  it("has time for each step of the ending", async () => {
    const job = await open();
    bench.dispatcher.cancel(job.id);
    for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"]) {
      bench.clock.advance(50_000);
      bench.lane.emit(job.id, [{ type: "cancelling", signal }]);
      await settle();
    }
    expect(bench.ends).toEqual([]);
    bench.lane.finish(job.id, { kind: "cancelled", result: result(null) });
    await settle();
    bench.clock.advance(200_000);
    expect([stateOf(job).phase, bench.ends]).toEqual(["cancelled", []]);
  });

  it("is asked for again while nothing comes of it, and by the daemon that comes next", async () => {
    const job = await open();
    bench.dispatcher.cancel(job.id);
    bench.clock.advance(122_000);
    expect(bench.ends).toEqual([wanted, wanted]);
    bench.restart();
    bench.clock.advance(59_000);
    expect(bench.ends).toHaveLength(2);
    bench.clock.advance(3000);
    expect(bench.ends).toHaveLength(3);
  });
});
