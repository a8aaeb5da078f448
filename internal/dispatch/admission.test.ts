import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job } from "../job/index.ts";
import { type AdmissionLimits, decideAdmission, inTurn } from "./admission.ts";
import { DEFAULT_POLICY } from "./policy.ts";
import { type Bench, command, openBench, settle } from "./testing/bench.ts";
import type { FakeLane } from "./testing/fake-lane.ts";

const MIB = 2 ** 20;
const { readmitMs, silentMs } = DEFAULT_POLICY;

describe("decideAdmission", () => {
  const both = { maxRunning: 2, minFreeMemoryBytes: 100 };
  const none = { maxRunning: null, minFreeMemoryBytes: null };
  it.each([
    ["with nothing running, whatever is left", { maxRunning: 1, minFreeMemoryBytes: 100 }, [0, 0], null],
    ["below both limits", both, [1, 100], null],
    ["at the count", both, [2, 1000], "count"],
    ["above the count", both, [3, 1000], "count"],
    ["short of memory", both, [1, 99], "memory"],
    ["both: the count, which memory does not mend", both, [2, 0], "count"],
    ["memory that nobody knows", both, [1, null], null],
    ["without limits", none, [1000, 0], null],
  ] as const)("%s", (_what, limits, [running, freeMemoryBytes], wanted) => {
    expect(decideAdmission(limits, { running, freeMemoryBytes })).toBe(wanted);
  });
});

describe("over all lanes", () => {
  let bench: Bench;
  let lanes: FakeLane[];
  const setUp = (admission: AdmissionLimits) => {
    bench = openBench({ policy: { admission } });
    lanes = [bench.lane, bench.addLane("two"), bench.addLane("three")];
  };
  beforeEach(() => setUp({ maxRunning: null, minFreeMemoryBytes: null }));
  afterEach(() => bench[Symbol.asyncDispose]());
  const using = async (admission: AdmissionLimits) => {
    await bench[Symbol.asyncDispose]();
    setUp(admission);
  };

  /** Jobs are a millisecond apart: the first is the oldest. */
  const submit = (lane: number, priority = 0): Job => {
    bench.clock.advance(1);
    return bench.dispatcher.submit({ laneId: laneOf(lane).laneId, spec: command({ priority }) }).job;
  };
  const laneOf = (lane: number): FakeLane => {
    const found = lanes[lane];
    if (!found) throw new Error(`no lane ${lane}`);
    return found;
  };
  const openAll = async () => {
    for (const lane of lanes) lane.open();
    await settle();
  };
  const end = async (lane: number, job: Job) => {
    laneOf(lane).begin(job.id);
    laneOf(lane).exit(job.id, 0);
    await settle();
  };
  const look = (job: Job) => {
    const now = bench.dispatcher.findJob(job.id);
    return bench.dispatcher.waitingOf(now)?.reason ?? now.state.phase;
  };

  it("runs as many as the lanes without limits", async () => {
    await openAll();
    const jobs = [submit(0), submit(1), submit(2)];
    await settle();
    expect(jobs.map(look)).toEqual(["accepted", "accepted", "accepted"]);
  });

  it("keeps to the count, says so, and lets the next in when one ends", async () => {
    await using({ maxRunning: 2, minFreeMemoryBytes: null });
    await openAll();
    const [a, b, c] = [submit(0), submit(1), submit(2)];
    const behind = submit(2);
    await settle();
    // The last one waits for its turn in its lane and for nothing else.
    expect([a, b, c, behind].map(look)).toEqual(["accepted", "accepted", "count", "queued"]);
    await end(1, b);
    expect([a, b, c, behind].map(look)).toEqual(["accepted", "succeeded", "accepted", "queued"]);
    await end(2, c);
    expect([a, behind].map(look)).toEqual(["accepted", "accepted"]);
  });

  it("goes by priority, then by age, whichever lane has room first", async () => {
    await using({ maxRunning: 1, minFreeMemoryBytes: null });
    await openAll();
    const first = submit(0);
    const [oldest, urgent, last] = [submit(1), submit(2, 5), submit(0)];
    await settle();
    expect([first, oldest, urgent, last].map(look)).toEqual(["accepted", "count", "count", "queued"]);
    // Its own lane's next one is younger than what waits in the others.
    await end(0, first);
    expect([oldest, urgent, last].map(look)).toEqual(["count", "accepted", "count"]);
    await end(2, urgent);
    expect([oldest, last].map(look)).toEqual(["accepted", "count"]);
    await end(1, oldest);
    expect(look(last)).toBe("accepted");
    const ids = [first, urgent, oldest, last].map((job) => job.id);
    const jobs = ids.map((id) => bench.dispatcher.findJob(id));
    expect(inTurn([...jobs].reverse()).map((job) => job.id)).toEqual([urgent, first, oldest, last].map(({ id }) => id));
  });

  it("waits for memory beside another job, and goes on by itself when there is some", async () => {
    await using({ maxRunning: null, minFreeMemoryBytes: 512 * MIB });
    await openAll();
    bench.freeMemoryBytes = 511 * MIB;
    const [a, b, c] = [submit(0), submit(1), submit(2)];
    await settle();
    expect([a, b, c].map(look)).toEqual(["accepted", "memory", "memory"]);
    expect(bench.dispatcher.findJob(b.id).state).toEqual({ phase: "queued", attempt: 0, waiting: null });
    bench.freeMemoryBytes = 512 * MIB;
    bench.clock.advance(readmitMs - 1);
    expect(look(b)).toBe("memory");
    bench.clock.advance(1);
    await settle();
    expect([a, b, c].map(look)).toEqual(["accepted", "accepted", "accepted"]);
    const timers = bench.clock.timers;
    bench.clock.advance(10 * readmitMs);
    expect(bench.clock.timers).toBe(timers);
  });

  it("never stands still: the last one running lets one in, however little memory there is", async () => {
    await using({ maxRunning: 1, minFreeMemoryBytes: 512 * MIB });
    bench.freeMemoryBytes = 0;
    await openAll();
    const jobs = [submit(0), submit(1), submit(2), submit(0)];
    for (const [at, job] of jobs.entries()) {
      await settle();
      expect(look(job)).toBe("accepted");
      await end(at % 3, job);
      expect(look(job)).toBe("succeeded");
    }
  });

  it("lets everyone in where memory cannot be told", async () => {
    await using({ maxRunning: null, minFreeMemoryBytes: 512 * MIB });
    bench.freeMemoryBytes = null;
    await openAll();
    expect([submit(0), submit(1)].map(look)).toEqual(["dispatching", "dispatching"]);
  });

  it("says nothing of a job whose lane could not begin it, and lets no such lane keep others", async () => {
    await using({ maxRunning: 1, minFreeMemoryBytes: null });
    await openAll();
    const first = submit(0);
    const [second, third] = [submit(1), submit(2)];
    await settle();
    expect([second, third].map(look)).toEqual(["count", "count"]);
    laneOf(1).cut();
    expect([second, third].map(look)).toEqual(["queued", "count"]);
    await end(0, first);
    expect([second, third].map(look)).toEqual(["queued", "accepted"]);
    laneOf(1).open();
    expect(look(second)).toBe("count");
  });

  it("looks at the lane's next one when the one that waits is cancelled", async () => {
    await using({ maxRunning: 1, minFreeMemoryBytes: null });
    await openAll();
    submit(0);
    const [waits, behind] = [submit(1), submit(1)];
    bench.dispatcher.cancel(waits.id);
    expect([waits, behind].map(look)).toEqual(["cancelled", "count"]);
  });

  it("counts what is out of reach, but not what is proven dead", async () => {
    await using({ maxRunning: 1, minFreeMemoryBytes: null });
    await openAll();
    const first = submit(0);
    await settle();
    laneOf(0).begin(first.id);
    await settle();
    const second = submit(1);
    laneOf(0).cut();
    expect([first, second].map(look)).toEqual(["running", "count"]);
    bench.dispatcher.onLaneDead({ laneId: "demo", generation: 1, volumeIntact: true });
    await settle();
    expect([first, second].map(look)).toEqual(["running", "accepted"]);
  });

  it("counts nothing for ever that is out of reach, as after a restart with a lane that failed", async () => {
    await using({ maxRunning: 1, minFreeMemoryBytes: null });
    await openAll();
    const first = submit(0);
    await settle();
    laneOf(0).begin(first.id);
    await settle();
    laneOf(1).cut({ silently: true });
    bench.restart();
    laneOf(1).open();
    const second = submit(1);
    expect(look(second)).toBe("count");
    bench.clock.advance(silentMs - readmitMs);
    expect(look(second)).toBe("count");
    bench.clock.advance(2 * readmitMs);
    await settle();
    expect([first, second].map(look)).toEqual(["running", "accepted"]);
  });

  it("gives up on what goes out of reach while another waits, though nothing else happens", async () => {
    await using({ maxRunning: 1, minFreeMemoryBytes: null });
    await openAll();
    const first = submit(0);
    await settle();
    const second = submit(1);
    laneOf(0).cut();
    bench.clock.advance(silentMs + readmitMs);
    await settle();
    expect([first, second].map(look)).toEqual(["accepted", "accepted"]);
  });

  it("makes room when a lane is removed", async () => {
    await using({ maxRunning: 1, minFreeMemoryBytes: null });
    await openAll();
    const first = submit(0);
    await settle();
    const second = submit(1);
    expect([first, second].map(look)).toEqual(["accepted", "count"]);
    bench.dispatcher.onLaneRemoved("demo");
    await settle();
    expect([first, second].map(look)).toEqual(["lost", "accepted"]);
  });

  it("begins nothing while the daemon shuts down", async () => {
    await using({ maxRunning: null, minFreeMemoryBytes: 512 * MIB });
    bench.freeMemoryBytes = 0;
    await openAll();
    submit(0);
    const second = submit(1);
    expect(look(second)).toBe("memory");
    bench.freeMemoryBytes = 1024 * MIB;
    const { timers } = bench.clock;
    await bench.dispatcher[Symbol.asyncDispose]();
    expect(bench.store.jobs.find(second.id)?.state.phase).toBe("queued");
    expect(bench.clock.timers).toBeLessThan(timers);
  });
});
