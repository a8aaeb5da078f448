import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  bundleWorker,
  startWorkerProcess,
  TEST_WORKER,
  type WorkerBundle,
  type WorkerProcess,
} from "../../test/support/worker-process.ts";
import { systemClock } from "../base/index.ts";
import { isTerminal, type JobLogEvent } from "../job/index.ts";
import { DEFAULT_SETTINGS } from "../lane/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { openLink, type WorkerLink } from "../workerlink/index.ts";
import { createDispatcher, type Dispatcher } from "./dispatcher.ts";
import { DEFAULT_POLICY } from "./policy.ts";
import type { LaneLink, WorkResolver } from "./ports.ts";
import { createCommandResolver } from "./resolve-work.ts";
import { command } from "./testing/bench.ts";

/** The dispatcher over a real store, real links and a real worker process; only the container is missing. */
const LANE = TEST_WORKER.laneId;

let bundle: WorkerBundle;
let folder: string;
let ledger: string;
let store: Store;
let dispatcher: Dispatcher;
let worker: WorkerProcess;
let wire: { readonly link: WorkerLink; readonly port: LaneLink } | null = null;
let generation = 0;

beforeAll(async () => {
  bundle = await bundleWorker();
});
afterAll(() => bundle?.[Symbol.dispose]());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "lanekeeper-real-"));
  ledger = join(folder, "ledger");
  generation = 0;
  open();
  store.workspaces.insert({ id: "ws", name: "repo", path: "/src/repo", createdAtMs: 1 });
  const place = { branch: "demo", worktree: "/w/demo", workspaceId: "ws" };
  const rest = { desired: "up", settings: DEFAULT_SETTINGS, generation: 1, createdAtMs: 1 } as const;
  store.lanes.insertLane({ id: LANE, name: "demo", ...place, ...rest });
  await startWorker();
});
afterEach(async () => {
  hangUp();
  await dispatcher[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A daemon starts on what is there. */
function open(): void {
  store = openStore({ path: join(folder, "store.db"), nowMs: Date.now });
  dispatcher = createDispatcher({
    store,
    clock: systemClock,
    log: pino({ level: "silent" }),
    redact: (text) => text,
    work,
    policy: DEFAULT_POLICY,
    onActivity: () => {},
    dropLink: () => hangUp(),
  });
}

const inner = createCommandResolver({ outputCapBytes: 64 * 1024 * 1024 });
const work: WorkResolver = {
  ...inner,
  resolve: async (job, opts) => ({ ...(await inner.resolve(job, opts)), cwd: "/tmp" }),
};

async function startWorker(): Promise<void> {
  generation++;
  worker = await startWorkerProcess({
    bundle: bundle.path,
    generation,
    stateDir: join(folder, "volume"),
    ladder: [150, 150],
  });
}

async function connect(): Promise<void> {
  const target = { endpoint: worker.endpoint, laneId: LANE, generation, secret: TEST_WORKER.secret };
  const link = await openLink({
    ...target,
    build: TEST_WORKER.build,
    getAcked: () => dispatcher.getAcked(LANE),
    on: {
      events: ({ job, attempt, events }) => dispatcher.onEvents(LANE, target.generation, job, attempt, events),
      heartbeat: () => {},
      apiRequest: async () => ({ status: 501, contentType: "text/plain", body: "" }),
      closed: () => {
        if (wire?.link !== link) return;
        wire = null;
        dispatcher.detachLink(LANE, port);
      },
    },
  });
  const port: LaneLink = {
    laneId: link.laneId,
    generation: link.generation,
    spool: link.spool,
    attempts: link.attempts,
    start: (r, opts) => link.start(r.job, r.attempt, r.bodyHash, r.work, opts),
    cancel: ({ job, attempt }, opts) => link.cancel(job, attempt, opts),
    ack: link.ack,
  };
  wire = { link, port };
  dispatcher.attachLink(port);
}

function hangUp(): void {
  const was = wire;
  wire = null;
  if (!was) return;
  dispatcher.detachLink(LANE, was.port);
  was.link.close("a test");
}

/** The worker and all it runs are killed, its death is proven, and the next generation's starts on the same volume. */
async function recreate(between = () => {}): Promise<void> {
  worker.kill("SIGKILL");
  await worker.exited;
  hangUp();
  between();
  dispatcher.onLaneDead({ laneId: LANE, generation, volumeIntact: true });
  await startWorker();
}

/** The daemon dies without a word and another one starts. */
function restartDaemon(): void {
  const was = wire;
  wire = null;
  was?.link.close("the daemon died");
  store.close();
  open();
}

const sh = (script: string, more: Parameters<typeof command>[0] = {}) =>
  dispatcher.submit({ laneId: LANE, spec: command({ argv: ["/bin/sh", "-c", script], ...more }) }).job.id;
const ended = (job: string) => dispatcher.waitJob(job, { timeoutMs: 20_000 });
const logOf = (job: string): readonly JobLogEvent[] => store.jobs.readEvents(job, { after: 0, limit: 1_000_000 });
const textOf = (job: string) =>
  logOf(job)
    .map((event) => (event.type === "output" && "text" in event ? event.text : ""))
    .join("");
const ledgerLines = () => readFileSync(ledger, "utf8").trim().split("\n");
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("a real worker", () => {
  it("runs jobs one after the other and passes exit codes through", async () => {
    await connect();
    const jobs = [sh("echo one"), sh("echo two >&2; exit 7"), sh("kill -9 $$")];
    const states = await Promise.all(jobs.map(async (job) => (await ended(job)).state));
    expect(states).toMatchObject([
      { phase: "succeeded" },
      { phase: "failed", result: { exitCode: 7, stderrTail: "two\n" } },
      { phase: "failed", error: { code: "signal" } },
    ]);
    expect(jobs.map(textOf)).toEqual(["one\n", "two\n", ""]);
  });

  it("streams whole and in order through cut links and a killed daemon", async () => {
    await connect();
    const job = sh("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
    for (let i = 0; i < 12; i++) {
      await pause(15);
      if (i % 4 === 3) restartDaemon();
      else hangUp();
      await connect();
    }
    expect((await ended(job)).state.phase).toBe("succeeded");
    expect(textOf(job) === Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join("")).toBe(true);
    expect(logOf(job).every((event, i) => event.seq === i + 1)).toBe(true);
  }, 30_000);

  it("ends a job as interrupted when its worker was killed, and never starts it again", async () => {
    await connect();
    const job = sh(`echo ${"$LANEKEEPER_JOB"} >> ${ledger}; echo begun; sleep 9`);
    for await (const event of dispatcher.follow(job, { after: 0 })) if (event.type === "output") break;
    await recreate();
    await connect();
    expect((await ended(job)).state).toMatchObject({ phase: "failed", error: { code: "interrupted" } });
    expect([ledgerLines(), textOf(job)]).toEqual([[`${job}/1`], "begun\n"]);
    dispatcher.retry(job);
    for await (const event of dispatcher.follow(job, { after: 0 })) {
      if (event.type === "output" && event.attempt === 2) break;
    }
    dispatcher.cancel(job);
    expect((await ended(job)).state).toMatchObject({ phase: "cancelled", attempt: 2, forced: false });
    expect(ledgerLines()).toEqual([`${job}/1`, `${job}/2`]);
  }, 30_000);

  it("fails a job whose record was damaged in the lane, in words, and goes on with the next", async () => {
    await connect();
    const job = sh("sleep 0.3; for i in 1 2 3; do echo $i; sleep 0.05; done");
    for await (const event of dispatcher.follow(job, { after: 0 })) if (event.type === "started") break;
    hangUp();
    const path = join(folder, "volume", "spool", `${job}.1`, "events.ndjson");
    const spooled = () => readFileSync(path, "utf8");
    while (!spooled().includes('"finished"')) await pause(20);
    await recreate(() => writeFileSync(path, spooled().replace('"2\\n"', '"2?')));
    await connect();
    const { state } = await ended(job);
    expect(state).toMatchObject({ phase: "failed", error: { code: "spool_corrupt" } });
    expect(state.phase === "failed" && state.error.message).toMatch(/^event 3 cannot be read back .* Next: /);
    expect(textOf(job)).toBe("1\n");
    expect((await ended(sh("true"))).state.phase).toBe("succeeded");
  }, 30_000);

  it("cancels over a link that comes back", async () => {
    await connect();
    const job = sh("echo begun; sleep 9");
    for await (const event of dispatcher.follow(job, { after: 0 })) if (event.type === "output") break;
    hangUp();
    dispatcher.cancel(job);
    restartDaemon();
    await connect();
    expect((await ended(job)).state).toMatchObject({ phase: "cancelled", forced: false });
  }, 30_000);

  it("starts each attempt once and ends each job, whatever is killed", async () => {
    await connect();
    const jobs = Array.from({ length: 30 }, (_, i) =>
      sh(`echo "$LANEKEEPER_JOB" >> ${ledger}; echo ${i}; sleep 0.0${i % 5}`),
    );
    for (let i = 0; i < 14; i++) {
      await pause((i * 37) % 60);
      if (i % 5 === 4) await recreate();
      else if (i % 3 === 2) restartDaemon();
      else hangUp();
      if (i % 4 === 1) dispatcher.cancel(jobs[i * 2] ?? "");
      await connect();
    }
    const states = await Promise.all(jobs.map(async (job) => (await ended(job)).state));
    expect(states.every(isTerminal)).toBe(true);
    expect(states.filter((state) => state.phase === "lost")).toEqual([]);
    const lines = ledgerLines();
    expect(new Set(lines).size).toBe(lines.length);
    const done = jobs.filter((_, i) => states[i]?.phase === "succeeded");
    expect(done.filter((job) => !lines.includes(`${job}/1`))).toEqual([]);
    for (const job of jobs) expect(logOf(job).every((event, i) => event.seq === i + 1)).toBe(true);
    expect(done.length).toBeGreaterThan(20);
  }, 60_000);
});
