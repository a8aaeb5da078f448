import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job, JobSpec } from "../job/index.ts";
import type { Hold, Judgement, WorkResolver } from "./ports.ts";
import { type Bench, openBench, phasesOf, settle } from "./testing/bench.ts";
import { type FakeLane, result } from "./testing/fake-lane.ts";

const prompt = (agent: string | null = null): JobSpec => ({
  work: { kind: "prompt", prompt: "do it", agent, session: "new" },
  key: null,
  deadlineMs: null,
  priority: 0,
  retry: "never",
});

let bench: Bench;
let two: FakeLane;
let holds: Map<string, Hold>;
let judgement: Judgement | null;

/** Settles the agent to `claude`, holds a lane's prompts as the test says, judges all ends alike. */
const work: WorkResolver = {
  settle: (spec) => (spec.work.kind === "prompt" ? { ...spec, work: { ...spec.work, agent: "claude" } } : spec),
  resolve: async () => ({
    argv: ["agent"],
    env: {},
    cwd: "/workspace",
    stdin: "",
    deadlineMs: null,
    outputCapBytes: 1,
  }),
  holdOf: (job) => holds.get(job.laneId) ?? null,
  judge: () => judgement,
};

beforeEach(async () => {
  holds = new Map();
  judgement = null;
  bench = openBench({ work });
  two = bench.addLane("two");
  bench.lane.open();
  two.open();
  await settle();
});
afterEach(() => bench[Symbol.asyncDispose]());

const submit = (laneId = "demo", spec = prompt()): Job => bench.dispatcher.submit({ laneId, spec }).job;
const run = async (job: Job, exitCode: number) => {
  bench.lane.begin(job.id);
  bench.lane.exit(job.id, exitCode);
  await settle();
};
const now = (job: Job): Job => bench.dispatcher.findJob(job.id);

describe("a prompt that is held", () => {
  it("waits with the reason, keeps no other lane waiting, and starts when the hold is over", async () => {
    const untilMs = bench.clock.nowMs() + 60_000;
    holds.set("demo", { reason: "limit", detail: "until noon", untilMs });
    const held = submit();
    const free = submit("two");
    await settle();
    expect([now(held).state.phase, now(free).state.phase]).toEqual(["queued", "accepted"]);
    expect(bench.dispatcher.waitingOf(now(held))).toEqual({ reason: "limit", detail: "until noon" });
    holds.clear();
    bench.clock.advance(60_000);
    await settle();
    expect(now(held).state.phase).toBe("accepted");
  });

  it("is not started before its time, however often the lane is looked at", async () => {
    holds.set("demo", { reason: "limit", detail: "d", untilMs: bench.clock.nowMs() + 60_000 });
    const held = submit();
    bench.clock.advance(59_000);
    bench.dispatcher.resume("demo");
    await settle();
    expect(bench.lane.calls).toEqual([]);
    expect(now(held).state.phase).toBe("queued");
  });

  it("without an end waits until somebody says that it may have changed", async () => {
    holds.set("demo", { reason: "login", detail: "d", untilMs: null });
    const held = submit();
    holds.clear();
    bench.clock.advance(3_600_000);
    await settle();
    expect(now(held).state.phase).toBe("queued");
    bench.dispatcher.readmit();
    await settle();
    expect(now(held).state.phase).toBe("accepted");
  });

  it("can be cancelled, and lets the next one in", async () => {
    holds.set("demo", { reason: "login", detail: "d", untilMs: null });
    const held = submit();
    bench.dispatcher.cancel(held.id);
    holds.clear();
    const next = submit();
    await settle();
    expect([now(held).state.phase, now(next).state.phase]).toEqual(["cancelled", "accepted"]);
  });
});

describe("the end of a prompt", () => {
  const error = { code: "agent.limit", message: "limit reached" };

  it("is what the judge says, whatever the exit code", async () => {
    const job = submit();
    await settle();
    judgement = { error, again: null };
    await run(job, 0);
    expect(now(job).state).toMatchObject({ phase: "failed", error });
    const fine = submit();
    await settle();
    judgement = { error: null, again: null };
    await run(fine, 1);
    expect(now(fine).state.phase).toBe("succeeded");
  });

  it("goes by the exit code when the judge has nothing to say", async () => {
    const job = submit();
    await settle();
    await run(job, 3);
    expect(now(job).state).toMatchObject({ phase: "failed", error: { code: "exit" } });
  });

  it("queues the job again in the same commit, as the next attempt, with the reason on record", async () => {
    const job = submit();
    await settle();
    judgement = { error, again: "limit reached; tried again after its reset" };
    holds.set("demo", { reason: "limit", detail: "d", untilMs: bench.clock.nowMs() + 1000 });
    await run(job, 1);
    expect(now(job).state).toMatchObject({ phase: "queued", attempt: 1 });
    expect(phasesOf(bench, job.id).slice(-2)).toEqual(["failed", "queued"]);
    const last = bench.store.jobs.readEvents(job.id, { after: 0, limit: 100 }).at(-1);
    expect(last).toMatchObject({ type: "state", detail: "limit reached; tried again after its reset" });
    holds.clear();
    bench.clock.advance(1000);
    await settle();
    expect(bench.lane.calls).toEqual([`start ${job.id}/1 g1`, `start ${job.id}/2 g1`]);
  });

  it("of an attempt that was cancelled is not judged", async () => {
    const job = submit();
    await settle();
    judgement = { error, again: "never" };
    bench.lane.begin(job.id);
    bench.lane.finish(job.id, { kind: "cancelled", result: result(null) });
    await settle();
    expect(now(job).state.phase).toBe("cancelled");
  });
});

describe("sessions", () => {
  it("are on record per job and as the lane's latest, over a restart", async () => {
    const first = submit();
    await settle();
    bench.lane.begin(first.id);
    bench.lane.emit(first.id, [{ type: "session", session: "s-1", model: null }]);
    bench.lane.exit(first.id, 0);
    await settle();
    bench.clock.advance(1);
    const second = submit();
    await settle();
    bench.lane.begin(second.id);
    bench.lane.emit(second.id, [{ type: "session", session: "s-2", model: "m" }]);
    await settle();
    bench.restart();
    const { jobs } = bench.store;
    expect([jobs.findSession(first.id), jobs.findSession(second.id)]).toEqual(["s-1", "s-2"]);
    expect([jobs.findLastSession("demo", "claude"), jobs.findLastSession("demo", "codex")]).toEqual(["s-2", null]);
  });
});

it("settles the agent once; the key goes by what the caller said", () => {
  const spec = { ...prompt(), key: "k" };
  const first = bench.dispatcher.submit({ laneId: "demo", spec });
  expect(first.job.spec.work).toMatchObject({ agent: "claude" });
  expect(bench.dispatcher.submit({ laneId: "demo", spec })).toMatchObject({
    created: false,
    job: { id: first.job.id },
  });
});
