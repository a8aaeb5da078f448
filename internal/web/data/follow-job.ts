import type { ApiJob, ApiJobEvent } from "../../protocol/index.ts";
import { type Api, ApiError } from "../api.ts";
import { foldEvents, type Timeline } from "./timeline.ts";

const RETRY_MS = 1000;
/** Events of this time are shown together, ms: a fast stream costs a few drawings a second. */
const GATHER_MS = 60;
/** Events held until then. */
const GATHERED_MAX = 2000;

/** Who follows a job. */
export interface JobFollower {
  /** What it has seen; it goes on from there. */
  readonly from: Timeline;
  readonly show: (timeline: Timeline) => void;
  readonly signal: AbortSignal;
}

/**
 * Follows a job's events until it ends or the signal aborts, over restarts of the daemon, and shows the timeline as it
 * grows. Returns when the job's events are complete.
 */
export async function followJob(api: Api, job: string, { from, show, signal }: JobFollower): Promise<void> {
  const gatherer = gather(from, show, signal);
  while (!signal.aborted) {
    try {
      const after = gatherer.lastSeq() === 0 ? null : String(gatherer.lastSeq());
      for await (const { event, data } of api.stream(`/v1/jobs/${job}/events?follow=1`, { signal, after })) {
        if (event !== "hello") gatherer.add(JSON.parse(data) as ApiJobEvent);
      }
      gatherer.flush();
      // Also the daemon's stop ends a stream: only an end of the job is the end.
      if (await hasEnded(api, job, signal)) return;
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && (error.status === 401 || error.status === 404))) return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

interface Gatherer {
  add(event: ApiJobEvent): void;
  /** Shows what has come. */
  flush(): void;
  lastSeq(): number;
}

/** Folds events into a timeline and shows it now and then. */
function gather(from: Timeline, show: JobFollower["show"], signal: AbortSignal): Gatherer {
  let timeline = from;
  let gathered: ApiJobEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | null = null;
  const fold = () => {
    timeline = foldEvents(timeline, gathered);
    gathered = [];
  };
  const flush = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (signal.aborted) return;
    fold();
    show(timeline);
  };
  return {
    flush,
    add(event) {
      gathered.push(event);
      timer ??= setTimeout(flush, GATHER_MS);
      // A long record comes faster than it is drawn: it never lies here whole.
      if (gathered.length >= GATHERED_MAX) fold();
    },
    lastSeq: () => gathered.at(-1)?.seq ?? timeline.seq,
  };
}

async function hasEnded(api: Api, job: string, signal: AbortSignal): Promise<boolean> {
  const { endedAt } = await api.call<Pick<ApiJob, "endedAt">>("GET", `/v1/jobs/${job}`, undefined, { signal });
  return endedAt !== null;
}
