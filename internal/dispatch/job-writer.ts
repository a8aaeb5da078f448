import type { Logger } from "pino";
import { type Clock, faultPoint } from "../base/index.ts";
import { isActive, isTerminal, type Job, type JobEvent, type JobState, transition } from "../job/index.ts";
import type { DispatchStore } from "./ports.ts";

/** The one place that changes a job's state: applies the transition, stores it, logs it, tells the feed. */
export interface JobWriter {
  /**
   * Runs `fn` as one commit; those who follow the jobs it touched, and whoever watches the lanes, hear of it after.
   * Nested calls join.
   */
  commit<T>(fn: () => T): T;
  /** Records a new job. */
  insert(job: Job): void;
  /**
   * Applies `event`; `atMs` is when it happened, now when left out. `goesOn`: this end is followed by a retry in the same
   * commit, so what its agent has asked stays open. Returns the job as it then is.
   */
  apply(
    job: Job,
    event: JobEvent,
    opts?: { readonly atMs?: number; readonly detail?: string | null; readonly goesOn?: boolean },
  ): Job;
  /** Something other than its state has changed about the job, as its log. */
  touch(job: string): void;
  /** An entry of the feed about a job whose state stays as it is. */
  note(type: string, job: Job, data: Readonly<Record<string, unknown>>): void;
}

/** What {@link createJobWriter} needs. */
export interface JobWriterDeps {
  readonly store: DispatchStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Within the commit of a job's end. */
  readonly onEnd?: ((job: string) => void) | undefined;
  /** After a commit that touched the job. */
  readonly onJob: (job: string) => void;
  /** After the commit in which an attempt failed or was lost; the generation that had it. Must not throw. */
  readonly onFailed?: ((job: Job, generation: number) => void) | undefined;
  /** After a commit that may have changed how busy the lane is. */
  readonly onLane: (lane: string) => void;
}

/** See {@link JobWriter}. */
export function createJobWriter(deps: JobWriterDeps): JobWriter {
  const { store, clock, log } = deps;
  let depth = 0;
  let jobs = new Set<string>();
  let lanes = new Set<string>();
  let lines: (() => void)[] = [];

  const takeDue = () => {
    const due = { jobs, lanes, lines };
    jobs = new Set();
    lanes = new Set();
    lines = [];
    return due;
  };

  const commit = <T>(fn: () => T): T => {
    if (depth > 0) return fn();
    depth++;
    let value: T;
    try {
      value = store.transaction(fn);
    } catch (caught) {
      takeDue();
      throw caught;
    } finally {
      depth--;
    }
    const due = takeDue();
    for (const line of due.lines) line();
    for (const job of due.jobs) deps.onJob(job);
    for (const lane of due.lanes) deps.onLane(lane);
    return value;
  };

  const record = (job: Job, from: JobState | null, event: string, detail: string | null) => {
    const { state, laneId } = job;
    const atMs = clock.nowMs();
    const wish = from !== null && isActive(from) && isActive(state) && state.cancelling && !from.cancelling;
    if (from?.phase !== state.phase || wish) {
      store.jobs.appendHostEvent(job.id, state.attempt, atMs, {
        type: "state",
        phase: state.phase,
        detail: wish ? `cancel requested${detail === null ? "" : `: ${detail}`}` : detail,
      });
    }
    store.feed.append({
      atMs,
      type: `job.${feedWord(from, state, wish)}`,
      lane: laneId,
      job: job.id,
      data: { attempt: state.attempt, from: from?.phase ?? null, to: state.phase, detail, ...endOf(state) },
    });
    jobs.add(job.id);
    lanes.add(laneId);
    const fields = { lane: laneId, jobId: job.id, event, from: from?.phase ?? null, to: state.phase };
    const more = { attempt: state.attempt, cause: detail };
    lines.push(() => log.info({ ...fields, ...more }, "job state changed"));
  };

  return {
    commit,
    insert: (job) =>
      commit(() => {
        store.jobs.insert(job);
        record(job, null, "submit", job.state.phase === "queued" ? job.state.waiting : null);
      }),
    apply: (job, event, opts = {}) =>
      commit(() => {
        const state = transition(job.state, event);
        if (state === job.state) return job;
        if (isTerminal(state)) faultPoint("laned.before-end");
        const atMs = opts.atMs ?? clock.nowMs();
        const next: Job = { ...job, state, ...timesOf(job, state, atMs) };
        store.jobs.save(next);
        recordAttempt(store, job.state, next, clock.nowMs());
        record(next, job.state, event.type, opts.detail ?? detailOf(state));
        if (isTerminal(state) && opts.goesOn !== true) deps.onEnd?.(job.id);
        if (isActive(job.state) && (state.phase === "failed" || state.phase === "lost")) {
          const { generation } = job.state;
          lines.push(() => deps.onFailed?.(next, generation));
        }
        return next;
      }),
    touch: (job) => {
      jobs.add(job);
    },
    note: (type, { id, laneId }, data) => {
      commit(() => store.feed.append({ atMs: clock.nowMs(), type, lane: laneId, job: id, data }));
    },
  };
}

/** Keeps the attempt's own row in step with the job's state. */
function recordAttempt(store: DispatchStore, from: JobState, job: Job, atMs: number): void {
  const { state } = job;
  if (isActive(state)) {
    const known = isActive(from) && from.generation === state.generation;
    if (!known) store.jobs.putAttempt(job.id, state.attempt, state.generation, atMs);
  } else if (isActive(from) && (isTerminal(state) || state.phase === "awaiting_answer")) {
    store.jobs.endAttempt(job.id, state.attempt, state, atMs);
  }
}

/** Start and end of the latest attempt, never before the job itself. */
function timesOf(job: Job, state: JobState, atMs: number): Pick<Job, "startedAtMs" | "endedAtMs"> {
  const at = Math.max(atMs, job.createdAtMs);
  if (state.phase === "queued" || state.phase === "dispatching") return { startedAtMs: null, endedAtMs: null };
  if (isTerminal(state)) return { startedAtMs: job.startedAtMs, endedAtMs: at };
  const started = state.phase === "running" && job.state.phase !== "running";
  return { startedAtMs: started ? at : job.startedAtMs, endedAtMs: null };
}

function feedWord(from: JobState | null, state: JobState, wish: boolean): string {
  if (from?.phase !== state.phase) return state.phase;
  if (wish) return "cancelling";
  if (state.phase === "queued") return "waiting";
  return isActive(state) && !state.reachable ? "unreachable" : "reachable";
}

/** What there is to say about a state beyond its name. */
function detailOf(state: JobState): string | null {
  if (state.phase === "queued") return state.waiting;
  if (state.phase === "failed" || state.phase === "lost") return `${state.error.code}: ${state.error.message}`;
  return state.phase === "cancelled" && state.forced ? "forced" : null;
}

function endOf(state: JobState): Record<string, unknown> {
  if (state.phase === "succeeded" || state.phase === "failed") return { exitCode: state.result.exitCode };
  return {};
}
