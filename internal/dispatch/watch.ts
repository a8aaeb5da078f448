import { renderDuration, toError } from "../base/index.ts";
import { type ActiveState, isActive, type Job } from "../job/index.ts";
import { type CancelWait, moveCancelClocks } from "./cancel-clock.ts";
import { cancel } from "./commands.ts";
import type { DispatchContext, Watch } from "./context.ts";
import { attemptKey } from "./lane-slot.ts";
import { excused, firstLook, heard, type Moment, moved, type Progress, stuckForMs } from "./progress.ts";

/** An active job. */
interface Active {
  readonly job: Job;
  readonly state: ActiveState;
  readonly key: string;
}

/** See {@link Watch}. It looks once a second while a job is active, and sleeps while none is. */
export function createWatch(context: () => DispatchContext): Watch {
  /** By attempt. */
  const progress = new Map<string, Progress>();
  /** By attempt that is stuck and was told of: since when (monotonic ms) it had been. */
  const told = new Map<string, number>();
  /** By attempt: steps of its ending that its worker has confirmed. */
  const signs = new Map<string, number>();
  let waits: ReadonlyMap<string, CancelWait> = new Map();
  let stopTimer: (() => void) | null = null;
  let closed = false;

  const now = (): Moment => {
    const { clock } = context();
    return { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
  };
  const listActive = (): readonly Active[] =>
    context()
      .store.jobs.listActive(null)
      .flatMap((job) =>
        isActive(job.state) ? [{ job, state: job.state, key: attemptKey(job.id, job.state.attempt) }] : [],
      );
  /** Its progress in this generation: an earlier one's does not count. */
  const known = (key: string, generation: number): Progress => {
    const before = progress.get(key);
    return before?.generation === generation ? before : firstLook(generation, now());
  };

  const look = () => {
    const ctx = context();
    stopTimer = null;
    if (closed) return;
    try {
      const active = listActive();
      forgetEnded(active);
      lookAtCancels(ctx, active);
      for (const one of active) if (one.state.phase === "running" && one.state.reachable) lookAtProgress(ctx, one);
      if (active.length === 0) return;
    } catch (caught) {
      ctx.log.error({ err: toError(caught) }, "could not look after the running jobs");
    }
    stopTimer = ctx.clock.timer(ctx.policy.watchMs, look);
  };
  const forgetEnded = (active: readonly Active[]) => {
    const keys = new Set(active.map(({ key }) => key));
    for (const map of [progress, told, signs]) for (const key of map.keys()) if (!keys.has(key)) map.delete(key);
  };
  const lookAtCancels = (ctx: DispatchContext, active: readonly Active[]) => {
    const cancelling = active.filter(({ state }) => state.cancelling);
    const seen = cancelling.map(({ key }) => ({ key, signs: signs.get(key) ?? 0 }));
    const limitMs = ctx.policy.cancelMs;
    const moved = moveCancelClocks(waits, seen, { nowMs: ctx.clock.monotonicMs(), limitMs });
    waits = moved.waits;
    for (const { key, job, state } of cancelling) {
      if (!moved.overdue.includes(key)) continue;
      const message = `its worker has not confirmed the cancel of job ${job.id} for ${renderDuration(limitMs)}`;
      ctx.log.warn(
        { lane: job.laneId, jobId: job.id, attempt: state.attempt },
        "cancel not confirmed: ending the lane",
      );
      ctx.endLane?.(job.laneId, state.generation, { code: "cancel_unanswered", message });
    }
  };
  const lookAtProgress = (ctx: DispatchContext, { job, state, key }: Active) => {
    const { stuckAfterMs, stuckAction } = ctx.policy;
    const at = known(key, state.generation);
    progress.set(key, at);
    const since = told.get(key);
    const data = { attempt: state.attempt, lastProgressAtMs: at.lastAtMs };
    if (since !== undefined && since !== at.sinceMs) {
      ctx.writer.note("job.moving", job, data);
      told.delete(key);
    }
    const forMs = stuckAfterMs === null ? null : stuckForMs(at, ctx.clock.monotonicMs(), stuckAfterMs);
    if (forMs === null || state.cancelling || told.has(key)) return;
    if (ctx.questions?.listPending(job.id).some(({ settled }) => !settled)) {
      progress.set(key, excused(at, now()));
      return;
    }
    ctx.writer.note("job.stuck", job, { ...data, forMs, action: stuckAction });
    told.set(key, at.sinceMs);
    ctx.log.warn({ lane: job.laneId, jobId: job.id, attempt: state.attempt, forMs, stuckAction }, "job is stuck");
    if (stuckAction === "cancel") cancel(ctx, job.id, `no progress for ${renderDuration(forMs)}`);
  };

  return {
    wake: () => {
      if (closed || stopTimer !== null) return;
      const { clock, policy } = context();
      stopTimer = clock.timer(policy.watchMs, look);
    },
    onEvents: ({ id, state }, attempt, events) => {
      if (!isActive(state) || state.attempt !== attempt) return;
      const key = attemptKey(id, attempt);
      const { wallMs, monotonicMs } = now();
      // What is replayed happened before; a lane's clock ahead of ours is not believed.
      const at = { wallMs: Math.min(events.at(-1)?.atMs ?? wallMs, wallMs), monotonicMs };
      progress.set(key, moved(known(key, state.generation), at));
      const confirmed = events.filter((event) => event.type === "cancelling").length;
      if (confirmed > 0) signs.set(key, (signs.get(key) ?? 0) + confirmed);
    },
    onHeartbeat: (laneId, generation, beats) => {
      if (generation < (context().slots.find(laneId)?.generation ?? 0)) return;
      for (const { job, attempt, usage } of beats) {
        const key = attemptKey(job, attempt);
        const before = progress.get(key);
        if (before?.generation === generation) progress.set(key, heard(before, usage ?? null, now()));
      }
    },
    progressOf: ({ id, state }) => {
      if (state.phase !== "running") return null;
      const key = attemptKey(id, state.attempt);
      const at = progress.get(key);
      if (!at) return { lastAtMs: null, stuckForMs: null };
      const isStuck = told.get(key) === at.sinceMs;
      return { lastAtMs: at.lastAtMs, stuckForMs: isStuck ? context().clock.monotonicMs() - at.sinceMs : null };
    },
    countStuck: () => [...told].filter(([key, sinceMs]) => progress.get(key)?.sinceMs === sinceMs).length,
    close: () => {
      closed = true;
      stopTimer?.();
      stopTimer = null;
    },
  };
}
