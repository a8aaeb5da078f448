import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job, WorkerEvent } from "../job/index.ts";
import { openStore } from "../store/index.ts";
import { createDispatcher } from "./dispatcher.ts";
import { DEFAULT_POLICY } from "./policy.ts";
import { createCommandResolver } from "./resolve-work.ts";
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

describe("a daemon that dies", () => {
  /** Each names the moment of death; `go` brings a fresh bench there and returns the job. */
  const moments: readonly (readonly [string, () => Promise<Job>])[] = [
    ["after the job was committed", async () => submit()],
    [
      "after `dispatching` was committed, before it was sent",
      async () => {
        const job = submit();
        bench.lane.open();
        return job;
      },
    ],
    [
      "after it was sent, before it arrived",
      async () => {
        bench.lane.open();
        bench.lane.fault = { kind: "lose_request" };
        const job = submit();
        await settle();
        return job;
      },
    ],
    [
      "after the worker took it, before its answer",
      async () => {
        bench.lane.open();
        bench.lane.fault = { kind: "lose_reply" };
        const job = submit();
        await settle();
        return job;
      },
    ],
    [
      "after it was accepted",
      async () => {
        const job = submit();
        bench.lane.open();
        await settle();
        return job;
      },
    ],
    ["while it runs", () => running()],
    [
      "with events received and not stored",
      async () => {
        const job = await running();
        bench.lane.output(job.id, "two\n");
        return job;
      },
    ],
    [
      "with events stored and not acknowledged",
      async () => {
        const job = await running();
        const one = bench.lane.spool().get(`${job.id}/1`);
        if (one) one.acked = 0;
        return job;
      },
    ],
    [
      "with the end not stored",
      async () => {
        const job = await running();
        bench.lane.exit(job.id, 0);
        return job;
      },
    ],
  ];

  it.each(moments)("%s: the job runs once, its log is whole", async (_, go) => {
    const job = await go();
    bench.restart();
    expect(stateOf(job)).not.toMatchObject({ reachable: true });
    bench.lane.open();
    await settle();
    const one = bench.lane.spool().get(`${job.id}/1`);
    if (one?.phase === "accepted") bench.lane.begin(job.id);
    if (one?.phase === "running") {
      bench.lane.output(job.id, "last\n");
      bench.lane.exit(job.id, 0);
    }
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "succeeded", attempt: 1 });
    expect(bench.lane.ledger).toEqual([`${job.id}/1`]);
    expect(isNumbered(bench, job.id)).toBe(true);
    const spooled = one?.events ?? [];
    const stored = bench.store.jobs.readEvents(job.id, { after: 0, limit: 999 });
    expect(stored.filter((event) => event.type !== "state").map((event) => event.type)).toEqual(
      spooled.map((event) => event.type),
    );
    expect(spooled.length).toBe(one?.acked);
    expect(phasesOf(bench, job.id).filter((phase) => phase === "succeeded")).toHaveLength(1);
  });

  it("loses nothing at whichever commit the files are taken away", async () => {
    const taken: string[] = [];
    const take = () => {
      const path = join(bench.folder, `taken-${taken.length}.db`);
      for (const suffix of ["", "-wal"]) {
        if (existsSync(bench.store.path + suffix)) copyFileSync(bench.store.path + suffix, path + suffix);
      }
      taken.push(path);
    };
    bench.store.feed.subscribe(take);
    const job = await running();
    bench.lane.exit(job.id, 0);
    await settle();
    expect(taken.length).toBeGreaterThanOrEqual(5);
    for (const path of taken) {
      using store = openStore({ path, nowMs: () => 1 });
      const calls: string[] = [];
      const deps = { store, clock: bench.clock, log: pino({ level: "silent" }), redact: (text: string) => text };
      await using dispatcher = createDispatcher({
        ...deps,
        work: createCommandResolver({ outputCapBytes: 1 }),
        policy: DEFAULT_POLICY,
        onActivity: () => {},
        dropLink: () => calls.push("drop"),
      });
      const one = bench.lane.spool().get(`${job.id}/1`);
      if (!one) throw new Error("not spooled");
      const acked = dispatcher.getAcked("demo")[`${job.id}/1`] ?? 0;
      const report = { job: job.id, attempt: 1, bodyHash: job.bodyHash, state: "finished", lastSeq: 3 } as const;
      dispatcher.attachLink({
        laneId: "demo",
        generation: 1,
        spool: bench.lane.spoolId(),
        attempts: [report],
        start: async (request) => {
          calls.push(`start ${request.attempt}`);
          return report;
        },
        cancel: async () => report,
        ack: (_job, _attempt, seq) => calls.push(`ack ${seq}`),
      });
      const rest = one.events.filter((event) => event.seq > acked);
      if (rest.length > 0) dispatcher.onEvents("demo", 1, job.id, 1, rest);
      await settle();
      expect(dispatcher.findJob(job.id).state).toMatchObject({ phase: "succeeded", attempt: 1 });
      expect(calls).not.toContain("drop");
    }
  });
});

describe("a link that breaks", () => {
  it("is no event of the job: it is out of reach, then back", async () => {
    const job = await running();
    const before = bench.store.feed.latest();
    bench.lane.cut();
    expect(stateOf(job)).toMatchObject({ phase: "running", reachable: false });
    bench.lane.output(job.id, "meanwhile\n");
    bench.lane.open();
    await settle();
    expect(stateOf(job)).toMatchObject({ phase: "running", reachable: true });
    expect(outputOf(bench, job.id)).toBe("one\nmeanwhile\n");
    expect(bench.store.feed.readAfter(before, 9).map((entry) => entry.type)).toEqual([
      "job.unreachable",
      "job.reachable",
    ]);
    expect(phasesOf(bench, job.id)).toEqual(["queued", "dispatching", "accepted", "running"]);
  });

  it("delivers 10 000 events exactly once, in order, cut every 50 to 150, a fifth of the acknowledgements lost", async () => {
    const job = await running();
    const one = bench.lane.spool().get(`${job.id}/1`);
    for (let sent = 0; sent < 10_000; ) {
      const until = Math.min(10_000, sent + 50 + ((sent * 7919) % 101));
      for (; sent < until; sent++) bench.lane.output(job.id, `${sent}\n`);
      if (sent % 3) await settle();
      bench.lane.cut();
      if (one && sent % 5 === 0) one.acked = 0;
      bench.lane.open({ early: sent % 2 === 0 });
      await settle();
    }
    bench.lane.exit(job.id, 0);
    await settle();
    const expected = `one\n${Array.from({ length: 10_000 }, (_, i) => `${i}\n`).join("")}`;
    expect(outputOf(bench, job.id) === expected).toBe(true);
    expect([isNumbered(bench, job.id), stateOf(job).phase, one?.acked]).toEqual([
      true,
      "succeeded",
      one?.events.length,
    ]);
    expect(bench.drops).toEqual([]);
  });

  it("acknowledges to the new link what came before it was handed over", async () => {
    const job = await running();
    bench.lane.cut({ silently: true });
    bench.lane.exit(job.id, 0);
    bench.lane.open({ early: true });
    await settle();
    const one = bench.lane.spool().get(`${job.id}/1`);
    expect([stateOf(job).phase, one?.acked]).toEqual(["succeeded", one?.events.length]);
    expect(bench.lane.calls.filter((call) => call.startsWith("cancel"))).toEqual([]);
  });

  it("does not end again what ended between the worker's report and the handing over", async () => {
    const job = await running();
    const next = submit();
    bench.lane.cut();
    bench.lane.open({ meanwhile: () => bench.lane.exit(job.id, 0) });
    await settle();
    expect([stateOf(job).phase, stateOf(next).phase]).toEqual(["succeeded", "accepted"]);
    expect(bench.lane.calls.filter((call) => call.startsWith("cancel"))).toEqual([]);
  });

  it("is told what we have of an active attempt, however many came after it", async () => {
    await bench[Symbol.asyncDispose]();
    bench = openBench({ policy: { ackedAttemptsMax: 1 } });
    bench.dispatcher.pause("demo", "x");
    const [low, high] = [submit(), submit({ priority: 9 })];
    bench.lane.open();
    bench.dispatcher.resume("demo");
    await settle();
    bench.lane.begin(high.id);
    bench.lane.exit(high.id, 0);
    await settle();
    bench.lane.begin(low.id);
    await settle();
    expect(bench.dispatcher.getAcked("demo")).toEqual({ [`${high.id}/1`]: 2, [`${low.id}/1`]: 1 });
  });

  it("is not mistaken for the one that replaced it", async () => {
    const job = await running();
    const first = bench.lane.link();
    bench.lane.cut({ silently: true });
    bench.lane.open();
    bench.dispatcher.detachLink("demo", first ?? undefined);
    expect(stateOf(job)).toMatchObject({ reachable: true });
    bench.dispatcher.detachLink("demo");
    expect(stateOf(job)).toMatchObject({ reachable: false });
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
