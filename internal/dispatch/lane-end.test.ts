import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job } from "../job/index.ts";
import { type Bench, command, isNumbered, openBench, outputOf, phasesOf, settle } from "./testing/bench.ts";
import { result } from "./testing/fake-lane.ts";

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

const submit = (more: Parameters<typeof command>[0] = {}): Job =>
  bench.dispatcher.submit({ laneId: "demo", spec: command(more) }).job;
const stateOf = (job: Job) => bench.dispatcher.findJob(job.id).state;
const starts = () => bench.lane.calls.filter((call) => call.startsWith("start"));

/** Submits a job and brings it as far as `running` with one line of output on record. */
async function running(more: Parameters<typeof command>[0] = {}): Promise<Job> {
  const job = submit(more);
  if (!bench.lane.link()) bench.lane.open();
  await settle();
  bench.lane.begin(job.id);
  bench.lane.output(job.id, "one\n");
  await settle();
  return job;
}

describe("a lane that dies", () => {
  const death = (volumeIntact: boolean) => ({ laneId: "demo", generation: bench.lane.generation, volumeIntact });
  const recreate = () => {
    bench.lane.generation++;
    bench.lane.open();
  };

  it("leaves the verdict to the next generation's worker, which reads the spool", async () => {
    const job = await running();
    bench.lane.output(job.id, "unsent\n");
    bench.lane.crash();
    bench.dispatcher.onLaneDead(death(true));
    expect(stateOf(job)).toMatchObject({ phase: "running", reachable: false });
    recreate();
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "failed", error: { code: "interrupted" } });
    expect(outputOf(bench, job.id)).toBe("one\nunsent\n");
    expect([bench.lane.ledger.length, isNumbered(bench, job.id), starts().length]).toEqual([1, true, 1]);
  });

  it("is no failure of a job that had ended before", async () => {
    const job = await running();
    bench.lane.cut({ silently: true });
    bench.lane.exit(job.id, 0);
    bench.lane.crash();
    bench.dispatcher.onLaneDead(death(true));
    recreate();
    await settle();
    expect(stateOf(job).phase).toBe("succeeded");
  });

  it("numbers an interrupted attempt's end after what we have, when the spool's end was torn off", async () => {
    const job = await running();
    bench.lane.crash();
    bench.lane.spool().get(`${job.id}/1`)?.events.pop();
    recreate();
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "failed", error: { code: "interrupted" } });
    expect([bench.drops, isNumbered(bench, job.id)]).toEqual([[], true]);
  });

  it("starts what was taken and not started under the next generation, once", async () => {
    const job = submit();
    bench.lane.open();
    await settle();
    bench.lane.crash();
    bench.dispatcher.onLaneDead(death(true));
    recreate();
    await settle();
    expect(starts()).toEqual([`start ${job.id}/1 g1`, `start ${job.id}/1 g2`]);
    bench.lane.begin(job.id);
    bench.lane.exit(job.id, 0);
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "succeeded", attempt: 1 });
    expect(bench.store.jobs.listAttempts(job.id)).toMatchObject([{ attempt: 1, generation: 2 }]);
  });

  it("sends an attempt that never arrived again, also to another generation", async () => {
    bench.lane.open();
    bench.lane.fault = { kind: "lose_request" };
    const job = submit();
    await settle();
    bench.lane.crash();
    bench.dispatcher.onLaneDead(death(true));
    recreate();
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "accepted", attempt: 1, generation: 2 });
  });

  it("loses the job with the volume, unless it was to be cancelled", async () => {
    const job = await running();
    bench.lane.crash();
    bench.dispatcher.onLaneDead(death(false));
    expect(stateOf(job)).toMatchObject({ phase: "lost", error: { code: "container_gone" } });
    bench.lane.wipe();
    recreate();
    const wanted = await running();
    bench.dispatcher.cancel(wanted.id);
    bench.lane.crash();
    bench.dispatcher.onLaneDead(death(false));
    bench.dispatcher.onLaneDead(death(false));
    expect(stateOf(wanted)).toMatchObject({ phase: "cancelled", forced: true });
  });

  it("proves a cancelled job ended, and what its worker still says goes into the log", async () => {
    const job = await running();
    bench.dispatcher.cancel(job.id);
    bench.lane.crash();
    bench.dispatcher.onLaneDead(death(true));
    expect(stateOf(job)).toMatchObject({ phase: "cancelled", forced: true });
    const next = submit();
    recreate();
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "cancelled", forced: true });
    expect([isNumbered(bench, job.id), stateOf(next).phase]).toEqual([true, "accepted"]);
    expect(phasesOf(bench, job.id).filter((phase) => phase === "cancelled")).toHaveLength(1);
  });

  it("does not touch jobs of a later generation", async () => {
    bench.lane.generation = 3;
    const job = await running();
    bench.dispatcher.onLaneDead({ laneId: "demo", generation: 2, volumeIntact: false });
    expect(stateOf(job)).toMatchObject({ phase: "running", reachable: true });
  });

  it("loses what the worker cannot know any more, when the spool is another one", async () => {
    const job = await running();
    bench.lane.crash();
    bench.lane.wipe();
    recreate();
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "lost", error: { code: "spool_lost" } });
    expect(bench.store.jobs.findSpool("demo")).toBe(bench.lane.spoolId());
    expect(starts()).toHaveLength(1);
  });

  it("tries a lost job again by its own policy, with the cause in its log", async () => {
    const job = await running({ retry: "on_lost" });
    bench.lane.crash();
    bench.lane.wipe();
    recreate();
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "accepted", attempt: 2 });
    expect(phasesOf(bench, job.id).slice(-4)).toEqual(["lost", "queued", "dispatching", "accepted"]);
    const details = bench.store.jobs.readEvents(job.id, { after: 0, limit: 99 }).map((event) => JSON.stringify(event));
    expect(details.some((text) => text.includes("retry after spool_lost"))).toBe(true);
    bench.lane.begin(job.id, 2);
    bench.dispatcher.cancel(job.id);
    bench.lane.crash();
    bench.lane.wipe();
    recreate();
    expect(stateOf(job).phase).toBe("lost");
  });

  it("ends everything when the lane is removed", async () => {
    const [job, waiting] = [await running({ retry: "on_lost" }), submit()];
    bench.lane.cut({ silently: true });
    bench.dispatcher.onLaneRemoved("demo");
    bench.dispatcher.onLaneRemoved("demo");
    expect([stateOf(job).phase, stateOf(waiting).phase]).toEqual(["lost", "cancelled"]);
  });
});

describe("attempts that have ended on record and go on in the lane", () => {
  it("are ended before anything else is started there", async () => {
    const job = await running();
    bench.dispatcher.cancel(job.id);
    await settle();
    bench.lane.cut();
    // Declared dead by mistake of nobody: as when the proof concerned another boot of the same container.
    bench.dispatcher.onLaneDead({ laneId: "demo", generation: 1, volumeIntact: true });
    const next = submit();
    bench.lane.calls.length = 0;
    bench.lane.open();
    await settle();
    expect(bench.lane.calls).toEqual([`cancel ${job.id}/1`]);
    expect(stateOf(next).phase).toBe("queued");
    bench.lane.finish(job.id, { kind: "cancelled", result: result(null) });
    await settle();
    expect([stateOf(job).phase, stateOf(next).phase]).toEqual(["cancelled", "accepted"]);
  });
});

describe("a worker that has an attempt's end and no outcome", () => {
  it("makes the job lost when it is asked to cancel it", async () => {
    const job = await running();
    const one = bench.lane.spool().get(`${job.id}/1`);
    if (one) one.phase = "finished";
    bench.dispatcher.cancel(job.id);
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "lost", error: { code: "spool_lost" } });
  });
});
