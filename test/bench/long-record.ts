import { join } from "node:path";
import type { WorkerEvent } from "../../internal/job/index.ts";
import { openStore, type Store } from "../../internal/store/index.ts";
import { timed } from "./measure.ts";
import { DONE, newStoredJob, recordJob, recordLane } from "./stored-jobs.ts";
import { openTempFolder } from "./temp-folder.ts";

/** A lane with a million stored events, and how fast its last pages are read. Each value one read, ms. */
export interface LongRecord {
  readonly events: number;
  readonly jobs: number;
  /** Storing all of it, ms. */
  readonly fillMs: number;
  /** The last page of the events of a job that has half of them. */
  readonly jobEventsMs: readonly number[];
  /** The lane's last page of jobs. */
  readonly laneJobsMs: readonly number[];
  /** The last page of the events over all jobs of the lane. */
  readonly laneEventsMs: readonly number[];
}

interface Signalled {
  readonly signal: AbortSignal;
}

const LANE = "bench-0123456789";

/** One job has half of all events, the others have an equal share of the rest. */
const LONG_JOB_EVENTS = 500_000;
const SHORT_JOBS = 500;
const SHORT_JOB_EVENTS = 1000;
const EVENTS = LONG_JOB_EVENTS + SHORT_JOBS * SHORT_JOB_EVENTS;

/** Of one commit. */
const BATCH = 10_000;

/** So that a pause of the machine or of the collector in one of them does not make the p99. */
const READS = 300;

/** Pages as the API gives them when nothing else is asked for: events of a job, jobs, lines of a lane. */
const PAGES = { jobEvents: 1000, laneJobs: 50, laneEvents: 200 } as const;

/** Stores everything, opens the store anew, so that nothing is in its memory, and reads. */
export async function measureLongRecord({ signal }: Signalled): Promise<LongRecord> {
  await using folder = await openTempFolder();
  const path = join(folder.path, "store.db");
  let long = "";
  const fillMs = await timed(async () => {
    using store = openStore({ path, nowMs: Date.now });
    recordLane(store, LANE);
    long = await addJob(store, LONG_JOB_EVENTS, { signal });
    for (let n = 0; n < SHORT_JOBS; n++) await addJob(store, SHORT_JOB_EVENTS, { signal });
  });
  using store = openStore({ path, nowMs: Date.now });
  const { jobs } = store;
  const read = async (wanted: number, page: () => readonly unknown[]): Promise<readonly number[]> => {
    const all: number[] = [];
    for (let n = 0; n < READS; n++) {
      signal.throwIfAborted();
      let found = 0;
      all.push(await timed(async () => (found = page().length)));
      if (found !== wanted) throw new Error(`a page of ${found} instead of ${wanted}`);
    }
    return all;
  };
  return {
    events: EVENTS,
    jobs: SHORT_JOBS + 1,
    fillMs,
    jobEventsMs: await read(PAGES.jobEvents, () => jobs.lastEvents(long, { limit: PAGES.jobEvents })),
    laneJobsMs: await read(PAGES.laneJobs, () => jobs.list({ laneId: LANE, limit: PAGES.laneJobs })),
    laneEventsMs: await read(PAGES.laneEvents, () => jobs.lastLaneEvents(LANE, { limit: PAGES.laneEvents })),
  };
}

/** Returns the new job's id. */
async function addJob(store: Store, count: number, { signal }: Signalled): Promise<string> {
  const job = newStoredJob(LANE, { phase: "succeeded", attempt: 1, result: DONE });
  for (let done = 0; done < count; done += BATCH) {
    signal.throwIfAborted();
    store.transaction(() => {
      if (done === 0) recordJob(store, job);
      store.jobs.appendWorkerEvents(job.id, 1, toEvents(done + 1, Math.min(BATCH, count - done)));
    });
    // The store never waits: whoever wants to end this is heard in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return job.id;
}

function toEvents(first: number, count: number): readonly WorkerEvent[] {
  return Array.from({ length: count }, (_, n) => {
    const seq = first + n;
    return { seq, atMs: 1_700_000_000_000 + seq, type: "output", stream: "stdout", text: `line ${seq} of a job\n` };
  });
}
