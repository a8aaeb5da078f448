import { AppError, type Clock, throwIfAborted } from "../base/index.ts";
import { isTerminal, type Job, type JobLogEvent } from "../job/index.ts";
import { mustFind } from "./must-find.ts";
import { FOLLOW_PAGE } from "./policy.ts";
import type { DispatchStore } from "./ports.ts";
import type { WakeHub } from "./wake-hub.ts";

/** What following a job needs. */
export interface FollowDeps {
  readonly store: DispatchStore;
  readonly hub: WakeHub;
  readonly clock: Clock;
}

/**
 * A job's log from after `after` on, then live, until the job has ended and all of it was given. Whoever lags reads
 * from the store again, so a slow reader costs one page of memory. Rejects with the signal's reason.
 * @throws job.not_found at the first step
 */
export async function* follow(
  deps: FollowDeps,
  id: string,
  opts: { readonly after: number; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<JobLogEvent, void, undefined> {
  const { store, hub } = deps;
  using waiter = hub.watch(id);
  let after = opts.after;
  for (;;) {
    throwIfAborted(opts.signal);
    const page = store.jobs.readEvents(id, { after, limit: FOLLOW_PAGE });
    for (const event of page) {
      after = event.seq;
      yield event;
      throwIfAborted(opts.signal);
    }
    if (page.length > 0) continue;
    if (isTerminal(mustFind(store, id).state)) return;
    await waiter.next({ signal: opts.signal });
  }
}

/**
 * Resolves with the job once it has ended.
 * @throws job.not_found, timeout after `timeoutMs` (the job goes on), the signal's reason
 */
export async function waitJob(
  deps: FollowDeps,
  id: string,
  opts: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined },
): Promise<Job> {
  const deadline = new AbortController();
  const { timeoutMs } = opts;
  const cancelTimer =
    timeoutMs === undefined ? () => {} : deps.clock.timer(timeoutMs, () => deadline.abort(timedOut(id, timeoutMs)));
  const signal = opts.signal ? AbortSignal.any([opts.signal, deadline.signal]) : deadline.signal;
  using waiter = deps.hub.watch(id);
  try {
    for (;;) {
      throwIfAborted(opts.signal);
      const job = mustFind(deps.store, id);
      if (isTerminal(job.state)) return job;
      await waiter.next({ signal });
    }
  } finally {
    cancelTimer();
  }
}

function timedOut(id: string, ms: number): AppError {
  return new AppError({
    code: "timeout",
    message: `job ${id} has not ended after ${ms} ms`,
    hint: `it goes on: lane job wait ${id}, or lane job cancel ${id}`,
    retry: "retryable",
  });
}
