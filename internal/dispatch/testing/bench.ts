import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import { AppError } from "../../base/index.ts";
import type { JobSpec } from "../../job/index.ts";
import { DEFAULT_SETTINGS } from "../../lane/index.ts";
import { openStore, type Store } from "../../store/index.ts";
import type { DispatcherDeps } from "../context.ts";
import { createDispatcher, type Dispatcher } from "../dispatcher.ts";
import { DEFAULT_POLICY, type DispatchPolicy } from "../policy.ts";
import type { AttemptFiles, DispatchStore, WorkResolver } from "../ports.ts";
import { createCommandResolver } from "../resolve-work.ts";
import { createFakeLane, type FakeLane } from "./fake-lane.ts";
import { createFakeQuestions, type FakeQuestions } from "./fake-questions.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";

/** A daemon's dispatch over a real store in a folder of its own. */
export interface Bench extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly folder: string;
  store: Store;
  dispatcher: Dispatcher;
  readonly lane: FakeLane;
  readonly questions: FakeQuestions;
  readonly activity: string[];
  readonly drops: AppError[];
  /** Containers that were to be ended: `<lane> g<generation> <code>`. */
  readonly ends: string[];
  readonly logged: Record<string, unknown>[];
  /** While true, a link that is dropped stays open yet, as when the supervisor is slow. */
  slow: boolean;
  /** Memory that the host has left. */
  freeMemoryBytes: number | null;
  /** While true, every commit fails as on a full disk. */
  full: boolean;
  /** The process dies here and another one starts on the same files. */
  restart(): void;
  addLane(id: string): FakeLane;
}

/** What a bench is set up with. */
export interface BenchOptions {
  readonly redact?: (text: string) => string;
  readonly work?: WorkResolver;
  readonly policy?: Partial<DispatchPolicy>;
  /** Made anew in each life of the daemon. */
  readonly files?: (bench: Bench) => AttemptFiles;
  readonly findSpec?: DispatcherDeps["findSpec"];
}

/** Opens a bench with the lane `demo`. */
export function openBench(opts: BenchOptions = {}): Bench {
  const folder = mkdtempSync(join(tmpdir(), "lanekeeper-dispatch-"));
  const clock = createManualClock();
  const path = join(folder, "store.db");
  const logged: Record<string, unknown>[] = [];
  const log: Logger = pino(
    { level: "debug" },
    { write: (line: string) => logged.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const open = () => openStore({ path, nowMs: clock.nowMs });
  let lives = 0;
  const make = () => {
    const life = ++lives;
    return createDispatcher({
      store: failing(bench),
      clock,
      log,
      redact: opts.redact ?? ((text) => text),
      files: opts.files?.(bench),
      findSpec: opts.findSpec,
      work: opts.work ?? createCommandResolver({ outputCapBytes: DEFAULT_POLICY.outputCapBytes }),
      questions: bench.questions,
      freeMemoryBytes: () => bench.freeMemoryBytes,
      policy: { ...DEFAULT_POLICY, ...opts.policy },
      onActivity: (lane) => bench.activity.push(lane),
      endLane: (lane, generation, cause) => bench.ends.push(`${lane} g${generation} ${cause.code}`),
      dropLink: (lane, error) => {
        // What a dead process would have done is not done.
        if (life !== lives) return;
        bench.drops.push(error);
        if (lane === bench.lane.laneId && !bench.slow) bench.lane.cut();
      },
    });
  };
  const store = open();
  const bench: Bench = {
    clock,
    folder,
    store,
    dispatcher: undefined as never,
    lane: createFakeLane("demo", () => bench.dispatcher, clock.nowMs),
    questions: createFakeQuestions(() => bench.store),
    activity: [],
    drops: [],
    ends: [],
    logged,
    full: false,
    freeMemoryBytes: 8 * 2 ** 30,
    slow: false,
    restart: () => {
      bench.lane.cut({ silently: true });
      // The old process does nothing any more: its connection is left as it is, and a new one opens the same file.
      bench.store.close();
      bench.store = open();
      bench.dispatcher = make();
    },
    addLane: (id) => {
      addLane(bench.store, id);
      return createFakeLane(id, () => bench.dispatcher, clock.nowMs);
    },
    [Symbol.asyncDispose]: async () => {
      bench.full = false;
      bench.lane.cut();
      await bench.dispatcher[Symbol.asyncDispose]();
      bench.store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  store.workspaces.insert({ id: "ws", name: "repo", path: "/src/repo", createdAtMs: 1 });
  addLane(store, "demo");
  bench.dispatcher = make();
  return bench;
}

function addLane(store: Store, id: string): void {
  store.lanes.insertLane({
    id,
    name: id,
    workspaceId: "ws",
    branch: id,
    worktree: `/src/repo.lanes/${id}`,
    desired: "up",
    settings: DEFAULT_SETTINGS,
    generation: 1,
    createdAtMs: 1,
  });
}

/** The store, whose commits fail while the bench says so. */
function failing(bench: Bench): DispatchStore {
  const { store } = bench;
  return {
    jobs: store.jobs,
    feed: store.feed,
    transaction: (fn) =>
      store.transaction(() => {
        const value = fn();
        if (bench.full) throw new AppError({ code: "store.full", message: "no room left", retry: "retryable" });
        return value;
      }),
  };
}

/** A command job. */
export const command = (more: Partial<JobSpec> & { readonly argv?: readonly string[] } = {}): JobSpec => {
  const { argv, ...rest } = more;
  return {
    work: { kind: "command", argv: argv ?? ["make", "check"] },
    key: null,
    deadlineMs: null,
    priority: 0,
    retry: "never",
    ...rest,
  };
};

/** Lets queued frames and answers be handled. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The phases a job's log tells, in order. */
export const phasesOf = (bench: Bench, job: string): readonly string[] =>
  bench.store.jobs
    .readEvents(job, { after: 0, limit: 10_000 })
    .flatMap((event) => (event.type === "state" ? [event.phase] : []));

/** All output in a job's log. */
export const outputOf = (bench: Bench, job: string): string =>
  bench.store.jobs
    .readEvents(job, { after: 0, limit: 100_000 })
    .map((event) => (event.type === "output" && "text" in event ? event.text : ""))
    .join("");

/** Is the log numbered 1..n without gap or repeat? */
export const isNumbered = (bench: Bench, job: string): boolean =>
  bench.store.jobs.readEvents(job, { after: 0, limit: 100_000 }).every((event, i) => event.seq === i + 1);
