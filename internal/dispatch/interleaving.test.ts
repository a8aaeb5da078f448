import fc from "fast-check";
import { expect, it } from "vitest";
import { isActive, isTerminal, type JobLogEvent, type JobWork } from "../job/index.ts";
import type { StoredAttempt } from "../store/index.ts";
import type { WorkResolver } from "./ports.ts";
import { type Bench, command, openBench, settle } from "./testing/bench.ts";
import { result, type SpooledAttempt } from "./testing/fake-lane.ts";

/** What may happen, in any order. Numbers choose a job or an attempt among those there are. */
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("submit" as const),
      retry: fc.constantFrom("never", "on_lost"),
      asks: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("ask" as const), at: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("answer" as const), at: fc.nat(9), told: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant("work" as const), at: fc.nat(9) }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant("open" as const), early: fc.boolean(), order: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("settle" as const) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("cancel" as const), at: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("retry" as const), at: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("cut" as const), silently: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("restart_daemon" as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("restart_worker" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("recreate" as const), wipe: fc.boolean(), proof: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("fault" as const), kind: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("full" as const), full: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("pause" as const), pause: fc.boolean() }) },
);
/** What those do that ask, and those who answer them. */
const asking = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constant("ask" as const), at: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("answer" as const), at: fc.nat(9), told: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("work" as const), at: fc.constantFrom(0, 6, 6, 7) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("open" as const), early: fc.boolean(), order: fc.nat(3) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

it("ends each job once, runs each attempt once, and loses or repeats no event, whatever is interleaved", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      await using bench = openBench({ work: WORK });
      const jobs: string[] = [];
      for (const one of steps) await run(bench, jobs, one);
      await checkAll(bench, jobs);
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 50_000 },
  );
}, 60_000);

it("has each answer acted on once, whatever else happens to those who ask", async () => {
  let acted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(asking, step), { minLength: 5, maxLength: 40 }), async (steps) => {
      await using bench = openBench({ work: WORK });
      const jobs: string[] = [];
      bench.lane.open();
      await run(bench, jobs, { op: "submit", retry: "on_lost", asks: true });
      await settle();
      work(bench, 0);
      await settle();
      ask(bench, 0);
      for (const one of steps) {
        await run(bench, jobs, one);
        await settle();
      }
      await checkAll(bench, jobs);
      acted += jobs.reduce((sum, job) => sum + countActed(bench, job), 0);
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: 50_000 },
  );
  expect(acted).toBeGreaterThan(RUNS / 8);
}, 60_000);

const RUNS = 80;

/** Prompts as well, which are told nothing here. */
const WORK: WorkResolver = {
  settle: (spec) => spec,
  resolve: async () => ({ argv: ["a"], env: {}, cwd: "/w", stdin: "", deadlineMs: null, outputCapBytes: 1 }),
  holdOf: () => null,
  judge: () => null,
};
const PROMPT: JobWork = { kind: "prompt", prompt: "ask", agent: "claude", session: "new" };

async function run(bench: Bench, jobs: string[], one: Step): Promise<void> {
  const { lane } = bench;
  switch (one.op) {
    case "submit":
      return tolerating(() => {
        const retry = one.retry === "never" ? "never" : "on_lost";
        const spec = command({ retry, ...(one.asks && { work: PROMPT }) });
        jobs.push(bench.dispatcher.submit({ laneId: "demo", spec }).job.id);
      });
    case "ask":
      return ask(bench, one.at);
    case "answer":
      return answer(bench, jobs[one.at % Math.max(1, jobs.length)], one.told);
    case "work":
      return work(bench, one.at);
    case "open":
      return tolerating(() => {
        lane.cut();
        try {
          lane.open({ early: one.early, shuffle: ORDERS[one.order] });
        } catch (caught) {
          // As the supervisor does with a link that cannot be handed over.
          lane.cut();
          throw caught;
        }
      });
    case "settle":
      return settle();
    case "cancel":
    case "retry": {
      const job = jobs[one.at % Math.max(1, jobs.length)];
      return tolerating(() => {
        if (job !== undefined) bench.dispatcher[one.op](job);
      });
    }
    case "cut":
      return lane.cut({ silently: one.silently });
    case "restart_daemon":
      bench.full = false;
      return bench.restart();
    case "restart_worker":
      return lane.crash();
    case "recreate":
      return tolerating(() => {
        lane.crash();
        if (one.wipe) lane.wipe();
        const generation = lane.generation++;
        if (one.proof) bench.dispatcher.onLaneDead({ laneId: "demo", generation, volumeIntact: !one.wipe });
      });
    case "fault":
      lane.fault = FAULTS[one.kind] ?? null;
      return;
    case "full":
      bench.full = one.full;
      return;
    case "pause":
      if (one.pause) bench.dispatcher.pause("demo", "a test");
      else bench.dispatcher.resume("demo");
      return;
  }
}

const FAULTS = [
  { kind: "lose_request" },
  { kind: "lose_reply" },
  { kind: "refuse", code: "stale_generation" },
  { kind: "refuse", code: "invalid_work" },
] as const;

const ORDERS: readonly (<T>(frames: T[]) => T[])[] = [
  (frames) => frames,
  (frames) => [...frames].reverse(),
  (frames) => frames.flatMap((frame) => [frame, frame]),
  (frames) => [...frames, ...frames],
];

/** One step of one attempt in the lane. */
function work(bench: Bench, at: number): void {
  const open = [...bench.lane.spool().values()].filter(
    (one) => one.phase === "running" || (one.phase === "accepted" && one.told),
  );
  const one = open[at % Math.max(1, open.length)];
  if (!one) return;
  const { job, attempt } = one;
  if (one.phase === "accepted") bench.lane.begin(job, attempt);
  else if (one.unwanted) bench.lane.finish(job, { kind: "cancelled", result: result(null) }, attempt);
  else if (at < 5) bench.lane.output(job, `line ${one.events.length}\n`, attempt);
  else bench.lane.exit(job, at % 2, attempt);
}

/** An attempt that runs, and is the one that counts, asks something. */
function ask(bench: Bench, at: number): void {
  const running = [...bench.lane.spool().values()].filter((one) => one.phase === "running");
  const one = running[at % Math.max(1, running.length)];
  if (!one || !bench.lane.link()) return;
  const { state } = bench.dispatcher.findJob(one.job);
  if (isActive(state) && state.attempt === one.attempt) bench.questions.ask(one.job, one.attempt);
}

/** The oldest open question of the job is answered; `told`: with that its job is, else the process is about to die. */
function answer(bench: Bench, job: string | undefined, told: boolean): void {
  if (job === undefined) return;
  const open = bench.questions.listPending(job).find(({ settled }) => !settled);
  if (!open) return;
  tolerating(() => {
    bench.store.transaction(() => {
      bench.questions.answer(open.id);
      if (told) bench.dispatcher.onQuestionSettled(job);
    });
  });
  if (told) return;
  bench.full = false;
  bench.restart();
}

/** Everything works again, until nothing is left to do. */
async function drain(bench: Bench): Promise<void> {
  const { lane } = bench;
  bench.full = false;
  lane.fault = null;
  bench.dispatcher.resume("demo");
  for (let i = 0; i < 200; i++) {
    await settle();
    if (!lane.link()) lane.open();
    await settle();
    const waiting = bench.store.jobs.listAwaiting(null);
    for (const { id } of waiting) answer(bench, id, true);
    const open = [...lane.spool().values()].filter((one) => one.phase !== "finished");
    if (
      waiting.length === 0 &&
      open.length === 0 &&
      !bench.dispatcher.busy("demo") &&
      bench.dispatcher.queued("demo") === 0
    )
      return;
    for (let k = 0; k < open.length; k++) work(bench, 6);
    // A process that hangs on to a link which is gone for the worker sees it close at last.
    if (i % 10 === 9) lane.cut();
  }
  throw new Error("the bench never came to rest");
}

async function checkAll(bench: Bench, jobs: readonly string[]): Promise<void> {
  await drain(bench);
  for (const job of jobs) check(bench, job);
  expect(new Set(bench.lane.ledger).size).toBe(bench.lane.ledger.length);
  for (const one of bench.lane.spool().values()) checkSpool(bench, one);
}

function check(bench: Bench, id: string): void {
  const log = bench.store.jobs.readEvents(id, { after: 0, limit: 100_000 });
  expect(log.map((event) => event.seq)).toEqual(log.map((_, i) => i + 1));
  const { state } = bench.dispatcher.findJob(id);
  expect(isTerminal(state)).toBe(true);
  const phases = log.flatMap((event) => (event.type === "state" ? [event.phase] : []));
  const ends = phases.filter((phase) => TERMINAL.has(phase)).length;
  const retries = phases.filter((phase, i) => phase === "queued" && TERMINAL.has(phases[i - 1] ?? "")).length;
  expect(ends).toBe(1 + retries);
  expect(phases.at(-1)).toBe(state.phase);
  const attempts = bench.store.jobs.listAttempts(id);
  for (const one of attempts.filter((each) => each.outcome !== null)) expect(one.outcome?.attempt).toBe(one.attempt);
  checkAnswers(bench, id, attempts);
}

/** Each answer is acted on once: by the one attempt that began with it and ended by itself. */
function checkAnswers(bench: Bench, id: string, attempts: readonly StoredAttempt[]): void {
  const { state, spec } = bench.dispatcher.findJob(id);
  expect(bench.questions.listPending(id).filter(({ settled }) => !settled)).toEqual([]);
  const acted = actedOn(bench, id, attempts);
  expect(new Set(acted).size).toBe(acted.length);
  const log = bench.store.jobs.readEvents(id, { after: 0, limit: 100_000 });
  const unwanted = log.some((event) => event.type === "state" && event.detail?.startsWith("cancel"));
  if (state.phase !== "succeeded" || unwanted || spec.work.kind !== "prompt") return;
  const answered = bench.questions.of(id).filter((item) => item.state.phase === "answered");
  expect(new Set(acted)).toEqual(new Set(answered.map((item) => item.id)));
}

function actedOn(bench: Bench, id: string, attempts: readonly StoredAttempt[]): readonly string[] {
  const well = attempts.filter(({ outcome }) => outcome?.phase === "succeeded" || outcome?.phase === "awaiting_answer");
  return well.flatMap(({ attempt }) => bench.store.jobs.listAnswers(id, attempt));
}

const countActed = (bench: Bench, id: string): number => actedOn(bench, id, bench.store.jobs.listAttempts(id)).length;

const TERMINAL = new Set(["succeeded", "failed", "cancelled", "lost"]);

/** What the worker spooled and what the host has on record are the same. */
function checkSpool(bench: Bench, one: SpooledAttempt): void {
  const stored = bench.store.jobs
    .readEvents(one.job, { after: 0, limit: 100_000 })
    .filter((event) => event.attempt === one.attempt && event.type !== "state");
  const bare = ({ seq: _seq, job: _job, attempt: _attempt, ...body }: JobLogEvent) => body;
  expect(stored.map(bare)).toEqual(one.events.map(({ seq: _, ...body }) => body));
  expect(one.acked).toBe(one.events.length);
}

/** What people would see as an error answer is one here, too. */
function tolerating(fn: () => void): void {
  try {
    fn();
  } catch (caught) {
    const code = (caught as { readonly code?: string }).code ?? "";
    if (!["store.full", "request.invalid"].includes(code)) throw caught;
  }
}
