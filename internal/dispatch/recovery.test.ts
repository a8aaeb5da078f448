import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job } from "../job/index.ts";
import { openStore } from "../store/index.ts";
import { createDispatcher } from "./dispatcher.ts";
import { DEFAULT_POLICY } from "./policy.ts";
import { createCommandResolver } from "./resolve-work.ts";
import { type Bench, command, isNumbered, openBench, outputOf, phasesOf, settle } from "./testing/bench.ts";

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
