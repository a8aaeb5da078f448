import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { AppError, systemClock } from "../../internal/base/index.ts";
import { createWorkerLinks } from "../../internal/daemon/worker-links.ts";
import { createCommandResolver, createDispatcher, DEFAULT_POLICY } from "../../internal/dispatch/index.ts";
import type { Job } from "../../internal/job/index.ts";
import { openStore, type Store } from "../../internal/store/index.ts";
import { createLog } from "../../internal/worker/index.ts";
import { openSpool } from "../../internal/worker/spool/index.ts";
import { bundleWorker, startWorkerProcess, TEST_WORKER, type WorkerProcess } from "../support/worker-process.ts";
import { timed } from "./measure.ts";
import { DONE, newStoredJob, recordJob, recordLane } from "./stored-jobs.ts";
import { openTempFolder } from "./temp-folder.ts";

/** One-line events through a real worker, a real link on loopback, and the real dispatcher and store. */
export interface EventFlow {
  readonly events: number;
  /** Each event spooled by itself, durable at the end, ms; one value per pass. */
  readonly spoolMs: readonly number[];
  /** From the opening of the link until the job's end is committed, ms; one value per pass. */
  readonly flowMs: readonly number[];
}

interface Signalled {
  readonly signal: AbortSignal;
}

const LINES = 100_000;

/** `started` and `finished`. */
const EVENTS = LINES + 2;

/** Far more than a pass takes; a flow that stands still must end the bench. */
const PASS_MAX_MS = 60_000;

/**
 * Output that arrives together shares events, so a command cannot be made to give an event per line: the spool is
 * filled first, and a worker that starts on it replays all. Each pass has a worker and a store of its own.
 */
export async function measureEventFlow(opts: Signalled & { readonly passes: number }): Promise<EventFlow> {
  using bundle = await bundleWorker();
  const spoolMs: number[] = [];
  const flowMs: number[] = [];
  for (let pass = 0; pass < opts.passes; pass++) {
    opts.signal.throwIfAborted();
    await using folder = await openTempFolder();
    const volume = join(folder.path, "volume");
    const state = { phase: "running", attempt: 1, generation: 1, reachable: true, cancelling: false } as const;
    const job = newStoredJob(TEST_WORKER.laneId, state);
    mkdirSync(volume);
    spoolMs.push(await timed(() => fillSpool(join(volume, "spool"), job)));
    await using worker = await startWorkerProcess({ bundle: bundle.path, stateDir: volume });
    using store = openStore({ path: join(folder.path, "store.db"), nowMs: Date.now });
    recordLane(store, job.laneId);
    recordJob(store, job);
    flowMs.push(await replay({ worker, store, job }, opts));
  }
  return { events: EVENTS, spoolMs, flowMs };
}

async function fillSpool(dir: string, job: Job): Promise<void> {
  let onDisk = () => {};
  const durable = new Promise<void>((resolve) => {
    onDisk = resolve;
  });
  const spool = openSpool(dir, {
    clock: systemClock,
    log: createLog((line) => process.stderr.write(line)),
    onSendable: (attempt) => {
      if (attempt.sendableSeq() === EVENTS) onDisk();
    },
  });
  const accepted = { job: job.id, attempt: 1, bodyHash: job.bodyHash, generation: 1, atMs: job.createdAtMs };
  const attempt = await spool.accept(accepted);
  attempt.appendLife({ type: "started", pid: 42 });
  for (let n = 1; n <= LINES; n++) {
    const kept = attempt.appendOutput([{ type: "output", stream: "stdout", text: `line ${n} of a job\n` }]);
    if (!kept) throw new Error(`the spool did not take line ${n}`);
  }
  attempt.appendLife({ type: "finished", outcome: { kind: "exited", result: DONE } });
  await durable;
}

/** What it takes, ms. */
async function replay(
  on: { readonly worker: WorkerProcess; readonly store: Store; readonly job: Job },
  { signal }: Signalled,
): Promise<number> {
  const { worker, store, job } = on;
  const { laneId } = job;
  const broken = new AbortController();
  const breakOff = (error: AppError) => broken.abort(error);
  await using dispatcher = createDispatcher({
    store,
    clock: systemClock,
    log: pino({ level: "silent" }),
    redact: (text) => text,
    work: createCommandResolver({ outputCapBytes: DEFAULT_POLICY.outputCapBytes }),
    freeMemoryBytes: () => null,
    policy: DEFAULT_POLICY,
    onActivity: () => undefined,
    dropLink: (_, error) => breakOff(error),
  });
  using links = createWorkerLinks({
    getAcked: (lane) => dispatcher.getAcked(lane),
    onEvents: (...args) => dispatcher.onEvents(...args),
    onLaneCall: async () => ({ status: 501, contentType: "text/plain", body: "" }),
    onLost: (_, error) => breakOff(error),
  });
  const target = { laneId, endpoint: worker.endpoint, generation: worker.generation, secret: TEST_WORKER.secret };
  const either = AbortSignal.any([signal, broken.signal]);
  let close = () => {};
  try {
    const ms = await timed(async () => {
      const link = await links.open(target, { signal: either });
      close = () => link.close("measured");
      dispatcher.attachLink(link);
      await dispatcher.waitJob(job.id, { signal: either, timeoutMs: PASS_MAX_MS });
    });
    const stored = store.jobs.findAttempt(job.id, 1);
    if (stored?.lastSeq !== EVENTS || !stored.finished) {
      throw new AppError({ code: "internal.bug", message: `${stored?.lastSeq} of ${EVENTS} events were stored` });
    }
    return ms;
  } finally {
    close();
  }
}
