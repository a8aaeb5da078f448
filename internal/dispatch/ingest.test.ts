import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job, WorkerEvent } from "../job/index.ts";
import { type Bench, command, isNumbered, openBench, outputOf, settle } from "./testing/bench.ts";
import { result } from "./testing/fake-lane.ts";

let bench: Bench;
beforeEach(() => {
  bench = openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

const submit = (more: Parameters<typeof command>[0] = {}): Job =>
  bench.dispatcher.submit({ laneId: "demo", spec: command(more) }).job;
const stateOf = (job: Job) => bench.dispatcher.findJob(job.id).state;

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

describe("a worker whose disk kept no end", () => {
  it("may end the attempt once more: it is acknowledged, and the first end stands", async () => {
    const job = await running();
    bench.lane.exit(job.id, 0);
    await settle();
    const before = bench.store.jobs.readEvents(job.id, { after: 0, limit: 99 });
    const spooled = bench.lane.spool().get(`${job.id}/1`);
    spooled?.events.splice(2);
    if (spooled) spooled.phase = "running";
    bench.lane.crash();
    // As the real worker: numbered after what the host has.
    spooled?.events.push({ seq: 3, atMs: 1, type: "output", stream: "stdout", text: "never on its disk" });
    bench.lane.open();
    await settle();
    expect([bench.drops, spooled?.acked, spooled?.events.length]).toEqual([[], 4, 4]);
    expect(stateOf(job).phase).toBe("succeeded");
    expect(bench.store.jobs.readEvents(job.id, { after: 0, limit: 99 })).toEqual(before);
  });
});

describe("what a worker may not do", () => {
  const output = (seq: number): WorkerEvent => ({ seq, atMs: 1, type: "output", stream: "stdout", text: `${seq}` });
  const finished = (seq: number): WorkerEvent => ({
    seq,
    atMs: 1,
    type: "finished",
    outcome: { kind: "exited", result: result(0) },
  });

  it.each<readonly [string, readonly WorkerEvent[]]>([
    ["skip an event", [output(4)]],
    ["skip inside a frame", [output(3), output(5)]],
    ["repeat inside a frame", [output(3), output(3)]],
    ["send after the end", [finished(3), output(4)]],
  ])("%s: nothing is stored, nothing acknowledged, the link is dropped", async (_, events) => {
    const job = await running();
    bench.dispatcher.onEvents("demo", 1, job.id, 1, events);
    await settle();
    expect(bench.drops.map((error) => error.code)).toEqual(["worker.protocol"]);
    expect(outputOf(bench, job.id)).toBe("one\n");
    expect(bench.lane.spool().get(`${job.id}/1`)?.acked).toBe(2);
    bench.lane.open();
    bench.lane.output(job.id, "two\n");
    bench.lane.exit(job.id, 0);
    await settle();
    expect([stateOf(job).phase, outputOf(bench, job.id)]).toEqual(["succeeded", "one\ntwo\n"]);
    bench.dispatcher.onEvents("demo", 1, job.id, 1, [output(5)]);
    await settle();
    expect(bench.drops).toHaveLength(2);
  });

  it("repeat what is stored: it is acknowledged again and stored once", async () => {
    const job = await running();
    bench.dispatcher.onEvents("demo", 1, job.id, 1, [
      { seq: 1, atMs: 1, type: "started", pid: 1 },
      output(2),
      output(3),
    ]);
    bench.dispatcher.onEvents("demo", 1, job.id, 1, [output(2), output(3)]);
    await settle();
    expect([outputOf(bench, job.id), isNumbered(bench, job.id), bench.drops]).toEqual(["one\n3", true, []]);
  });

  it("write into another lane's job, or be of an earlier generation", async () => {
    const job = await running();
    const other = bench.addLane("other");
    other.open();
    bench.dispatcher.onEvents("other", 1, job.id, 1, [output(3)]);
    await settle();
    expect(bench.drops.map((error) => error.message)).toEqual([expect.stringContaining("lane other")]);
    bench.lane.cut();
    bench.lane.generation = 2;
    bench.lane.open();
    bench.dispatcher.onEvents("demo", 1, job.id, 1, [output(3)]);
    await settle();
    expect(outputOf(bench, job.id)).toBe("one\n");
    const stale = { ...bench.lane.link(), generation: 1 } as never;
    expect(() => bench.dispatcher.attachLink(stale)).toThrow(expect.objectContaining({ code: "worker.protocol" }));
  });

  it("harm another lane: its frames are stored in the same turn", async () => {
    const job = await running();
    const other = bench.addLane("other");
    other.open();
    const theirs = bench.dispatcher.submit({ laneId: "other", spec: command() }).job;
    await settle();
    bench.dispatcher.onEvents("demo", 1, job.id, 1, [output(9)]);
    other.begin(theirs.id);
    await settle();
    expect(stateOf(theirs).phase).toBe("running");
  });

  it("make up attempts: they are named once and not acknowledged", async () => {
    bench.lane.open();
    for (let i = 0; i < 3; i++) bench.dispatcher.onEvents("demo", 1, "nosuch", 1, [output(1)]);
    await settle();
    expect(bench.logged.filter((line) => line.level === 40)).toHaveLength(1);
    expect(bench.drops).toEqual([]);
  });
});

describe("replay in any order", () => {
  it("never stores a shuffled replay out of order, and gets it right from the next one", async () => {
    const job = await running();
    bench.lane.cut();
    for (let i = 0; i < 40; i++) bench.lane.output(job.id, `${i}\n`);
    bench.lane.exit(job.id, 0);
    bench.lane.open({ shuffle: (frames) => [...frames].reverse() });
    await settle();
    expect(bench.drops.length).toBeGreaterThan(0);
    bench.lane.open({ shuffle: (frames) => frames.flatMap((frame, i) => [...frames.slice(0, i + 1), frame]) });
    await settle();
    const expected = `one\n${Array.from({ length: 40 }, (_, i) => `${i}\n`).join("")}`;
    expect([outputOf(bench, job.id), stateOf(job).phase, isNumbered(bench, job.id)]).toEqual([
      expected,
      "succeeded",
      true,
    ]);
  });
});

describe("late events of an attempt that has ended on record", () => {
  it("are kept, and the attempt is ended in the lane, asked once", async () => {
    const job = await running();
    bench.dispatcher.cancel(job.id);
    await settle();
    bench.lane.cut({ silently: true });
    bench.dispatcher.onLaneDead({ laneId: "demo", generation: 1, volumeIntact: true });
    // A worker that reports nothing of it and goes on with it all the same.
    const one = bench.lane.spool().get(`${job.id}/1`);
    bench.lane.spool().delete(`${job.id}/1`);
    bench.lane.open();
    if (one) bench.lane.spool().set(`${job.id}/1`, one);
    bench.lane.calls.length = 0;
    for (const text of ["two\n", "three\n"]) {
      bench.lane.output(job.id, text);
      await settle();
    }
    const next = submit();
    expect(bench.lane.calls).toEqual([`cancel ${job.id}/1`]);
    expect([outputOf(bench, job.id), isNumbered(bench, job.id)]).toEqual(["one\ntwo\nthree\n", true]);
    expect([stateOf(job).phase, stateOf(next).phase]).toEqual(["cancelled", "queued"]);
    bench.lane.exit(job.id, 0);
    await settle();
    expect([stateOf(job).phase, stateOf(next).phase]).toEqual(["cancelled", "accepted"]);
  });
});
