import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Job, JobSpec } from "../job/index.ts";
import { chooseAnswers, decideEnd } from "./answers.ts";
import type { Judgement, WorkResolver } from "./ports.ts";
import { type Bench, command, openBench, phasesOf, settle } from "./testing/bench.ts";
import { result } from "./testing/fake-lane.ts";

const PROMPT: JobSpec = { ...command(), work: { kind: "prompt", prompt: "do it", agent: "claude", session: "new" } };
let bench: Bench;
let judgement: Judgement | null;

const work: WorkResolver = {
  settle: (spec) => spec,
  resolve: async () => ({ argv: ["a"], env: {}, cwd: "/w", stdin: "", deadlineMs: null, outputCapBytes: 1 }),
  holdOf: () => null,
  judge: () => judgement,
};

beforeEach(async () => {
  judgement = null;
  bench = openBench({ work });
  bench.lane.open();
  await settle();
});
afterEach(() => bench[Symbol.asyncDispose]());

const now = (job: Job): Job => bench.dispatcher.findJob(job.id);
const begin = async (spec = PROMPT): Promise<Job> => {
  const { job } = bench.dispatcher.submit({ laneId: "demo", spec });
  await settle();
  bench.lane.begin(job.id);
  await settle();
  return job;
};
const exit = async (job: Job, code: number, attempt = 1) => {
  bench.lane.exit(job.id, code, attempt);
  await settle();
};
const answer = async (job: Job, id: string) => {
  bench.questions.answer(id);
  bench.dispatcher.onQuestionSettled(job.id);
  await settle();
};
/** A job that waits for the answer to the question. */
const asking = async (): Promise<readonly [Job, string]> => {
  const job = await begin();
  const id = bench.questions.ask(job.id);
  await exit(job, 0);
  return [job, id];
};
const carried = (job: Job, attempt: number) => bench.store.jobs.listAnswers(job.id, attempt);
const stateOf = (id: string) => bench.store.items.find(id)?.state.phase;

describe("a prompt whose agent asks and exits well", () => {
  it("waits, occupies nothing, and goes on as the next attempt with the answer", async () => {
    const [job, id] = await asking();
    expect(now(job).state).toEqual({ phase: "awaiting_answer", attempt: 1, item: id, result: result(0) });
    expect(now(job).endedAtMs).toBeNull();
    expect([bench.dispatcher.busy("demo"), bench.dispatcher.queued("demo")]).toEqual([false, 0]);
    const other = await begin();
    await answer(job, id);
    expect(now(job).state).toMatchObject({ phase: "queued", attempt: 1 });
    await exit(other, 0);
    expect(now(job).state).toMatchObject({ phase: "accepted", attempt: 2 });
    expect(carried(job, 2)).toEqual([id]);
    bench.lane.begin(job.id, 2);
    await exit(job, 0, 2);
    expect(now(job).state).toMatchObject({ phase: "succeeded", attempt: 2 });
    const phases = ["queued", "dispatching", "accepted", "running"];
    expect(phasesOf(bench, job.id)).toEqual([...phases, "awaiting_answer", ...phases, "succeeded"]);
  });

  it("waits over restarts, and is woken by what was answered while nobody listened", async () => {
    const [job, id] = await asking();
    bench.restart();
    expect(now(job).state.phase).toBe("awaiting_answer");
    bench.questions.answer(id);
    bench.restart();
    expect(now(job).state.phase).toBe("queued");
    bench.lane.open();
    await settle();
    expect(now(job).state).toMatchObject({ phase: "accepted", attempt: 2 });
  });

  it("is queued again at once when the answer came before its end", async () => {
    const job = await begin();
    bench.questions.answer(bench.questions.ask(job.id));
    await exit(job, 0);
    expect(now(job).state).toMatchObject({ phase: "accepted", attempt: 2 });
  });

  it("has succeeded when the asking call got the answer", async () => {
    const job = await begin();
    const id = bench.questions.ask(job.id);
    bench.questions.answer(id);
    bench.questions.markDelivered([id]);
    await exit(job, 0);
    expect(now(job).state.phase).toBe("succeeded");
  });

  it("waits for all it has asked", async () => {
    const job = await begin();
    const ids = [bench.questions.ask(job.id), bench.questions.ask(job.id)] as const;
    await exit(job, 0);
    await answer(job, ids[0]);
    expect(now(job).state.phase).toBe("awaiting_answer");
    await answer(job, ids[1]);
    expect([now(job).state.attempt, carried(job, 2)]).toEqual([2, ids]);
  });

  it("may ask again; then the next attempt begins with that answer alone", async () => {
    const [job, first] = await asking();
    await answer(job, first);
    bench.lane.begin(job.id, 2);
    const second = bench.questions.ask(job.id, 2);
    await exit(job, 0, 2);
    await answer(job, second);
    expect([carried(job, 2), carried(job, 3)]).toEqual([[first], [second]]);
  });

  it("when cancelled meanwhile is cancelled at once, and the question put away", async () => {
    const [job, id] = await asking();
    bench.dispatcher.cancel(job.id);
    expect([now(job).state, stateOf(id)]).toEqual([
      { phase: "cancelled", attempt: 1, result: result(0), forced: false },
      "done",
    ]);
    await answer(job, id);
    expect(now(job).state.phase).toBe("cancelled");
  });

  it("cannot be tried again instead, and ends with its lane", async () => {
    const [job, id] = await asking();
    expect(() => bench.dispatcher.retry(job.id)).toThrow(/awaiting_answer/);
    bench.dispatcher.onLaneRemoved("demo");
    expect([now(job).state.phase, stateOf(id)]).toEqual(["cancelled", "done"]);
  });
});

describe("what was asked by an attempt that did not end well", () => {
  it("is put away with the failure; an answer that nobody got goes with a retry", async () => {
    const job = await begin();
    const answered = bench.questions.ask(job.id);
    const open = bench.questions.ask(job.id);
    bench.questions.answer(answered);
    await exit(job, 1);
    expect([now(job).state.phase, stateOf(open)]).toEqual(["failed", "done"]);
    bench.dispatcher.retry(job.id);
    await settle();
    expect(carried(job, 2)).toEqual([answered]);
  });

  it("stays open while the attempt is repeated for its account's sake", async () => {
    const job = await begin();
    const id = bench.questions.ask(job.id);
    judgement = { error: { code: "agent.limit", message: "m" }, again: "after the reset" };
    await exit(job, 1);
    expect([now(job).state.attempt, stateOf(id), carried(job, 2)]).toEqual([2, "open", []]);
    judgement = null;
    bench.lane.begin(job.id, 2);
    await exit(job, 0, 2);
    expect(now(job).state).toMatchObject({ phase: "awaiting_answer", item: id });
  });

  it("is carried once more by the attempt after one that began with it", async () => {
    const [job, id] = await asking();
    await answer(job, id);
    bench.lane.begin(job.id, 2);
    await exit(job, 1, 2);
    bench.dispatcher.retry(job.id);
    await settle();
    expect(carried(job, 3)).toEqual([id]);
  });

  it("is put away with a cancel, also where the agent exits well before it is ended", async () => {
    const job = await begin();
    const id = bench.questions.ask(job.id);
    bench.dispatcher.cancel(job.id);
    await exit(job, 0);
    expect([now(job).state.phase, stateOf(id)]).toEqual(["succeeded", "done"]);
  });
});

describe("the decisions", () => {
  const event = { type: "succeeded", result: result(0) } as const;
  const pending = [
    { id: "a", settled: true },
    { id: "b", settled: false },
  ];

  it("never run a command again", async () => {
    const job = await begin(command());
    expect(decideEnd(now(job), event, pending)).toBe(event);
    expect(decideEnd({ ...now(job), spec: PROMPT }, event, pending)).toMatchObject({ type: "awaits", item: "b" });
  });

  it("take what an attempt began with that was taken back, once each", () => {
    const facts = { pending, before: ["x"], own: ["a", "o"], awaited: true };
    expect(chooseAnswers(facts)).toEqual(["a", "o"]);
    expect(chooseAnswers({ ...facts, awaited: false })).toEqual(["x", "a", "o"]);
  });
});
