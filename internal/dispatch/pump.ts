import { faultPoint, hasCode, toError } from "../base/index.ts";
import { isActive, type Job } from "../job/index.ts";
import { decideAdmission, inTurn, type WaitReason } from "./admission.ts";
import { carryAnswers } from "./answers.ts";
import type { DispatchContext } from "./context.ts";
import type { LaneSlot } from "./lane-slot.ts";
import type { Hold } from "./ports.ts";
import { sendStart } from "./send.ts";

/** A hold is looked at again this often: the wall clock it is told in can be set. */
const HOLD_LOOK_MS = 30_000;

/** Begins jobs: one per lane at a time, and over all lanes as many as the machine has room for. */
export interface Pump {
  /** Something has changed about the lane: begins its next job if it may, and others for which it made room. Never throws. */
  pump(laneId: string): void;
  /** What ran may run no more: looks again at the jobs that wait for room. Never throws. */
  readmit(): void;
  /** What the job waits for when only room keeps it; null for everything else. Of this process alone, never stored. */
  waitingOf(job: Job): Wait | null;
  /** Begins nothing any more. */
  close(): void;
}

/** Why a job is not begun, and what there is to say beyond that. */
export interface Wait {
  readonly reason: WaitReason | Hold["reason"];
  readonly detail: string | null;
}

/** See {@link Pump}. */
export function createPump(context: () => DispatchContext): Pump {
  /** By lane: its next job, when it could be begun but for want of room. */
  const waits = new Map<string, Wait & { readonly job: string }>();
  /** By job: since when (monotonic ms) it has been seen to run out of reach. */
  let silentSince: ReadonlyMap<string, number> = new Map();
  let stopTimer: (() => void) | null = null;
  let closed = false;

  /** Looks at these lanes and at all that wait; each that may be begun and is not is in `waits` afterwards. */
  const look = (laneIds: readonly string[]) => {
    const ctx = context();
    stopTimer?.();
    stopTimer = null;
    if (closed) return;
    const lanes = new Set([...waits.keys(), ...laneIds]);
    waits.clear();
    const heads = [...lanes].flatMap((laneId) => guarded(laneId, () => headOf(ctx, laneId)) ?? []);
    let reason: WaitReason | null = null;
    let againMs = Number.POSITIVE_INFINITY;
    for (const job of inTurn(heads)) {
      const hold = ctx.work.holdOf(job);
      if (hold !== null) {
        waits.set(job.laneId, { job: job.id, reason: hold.reason, detail: hold.detail });
        againMs = Math.min(againMs, untilLook(hold, ctx.clock.nowMs()));
        continue;
      }
      // Nobody overtakes one that waits: it may need what is left now.
      reason ??= guarded(job.laneId, () => begin(ctx, job));
      if (reason !== null) waits.set(job.laneId, { job: job.id, reason, detail: null });
    }
    if (mayPassUnseen(reason)) againMs = Math.min(againMs, ctx.policy.readmitMs);
    if (Number.isFinite(againMs)) stopTimer = ctx.clock.timer(againMs, () => look([]));
  };

  /** Nobody tells us when memory comes free, nor when a job has been out of reach for long enough. */
  const mayPassUnseen = (reason: WaitReason | null) =>
    reason === "memory" || (reason === "count" && silentSince.size > 0);

  /** Begins the job, or says why not. @throws store.* */
  const begin = (ctx: DispatchContext, job: Job): WaitReason | null => {
    const reason = whyWait(ctx);
    if (reason !== null) return reason;
    const slot = freeSlot(ctx, job.laneId);
    if (!slot?.link) return null;
    faultPoint("laned.before-dispatch");
    const { generation } = slot.link;
    const next = ctx.writer.commit(() => {
      const made = ctx.writer.apply(job, { type: "dispatch", generation });
      carryAnswers(ctx, made);
      return made;
    });
    faultPoint("laned.dispatched");
    sendStart(ctx, slot, slot.link, next);
    return null;
  };

  const whyWait = (ctx: DispatchContext): WaitReason | null => {
    const { admission } = ctx.policy;
    if (admission.maxRunning === null && admission.minFreeMemoryBytes === null) return null;
    const running = countRunning(ctx);
    const counts = running > 0 && admission.minFreeMemoryBytes !== null;
    return decideAdmission(admission, { running, freeMemoryBytes: counts ? (ctx.freeMemoryBytes?.() ?? null) : null });
  };

  /**
   * Jobs that hold room. One out of reach runs on, as far as anybody knows, until its container is proven dead or it
   * has been out of reach for so long that no worker is expected back: a lane that failed for good must not hold room.
   */
  const countRunning = (ctx: DispatchContext): number => {
    const nowMs = ctx.clock.monotonicMs();
    const silent = new Map<string, number>();
    let running = 0;
    for (const { id, laneId, state } of ctx.store.jobs.listActive(null)) {
      if (!isActive(state) || state.generation <= (ctx.slots.find(laneId)?.deadGeneration ?? -1)) continue;
      const sinceMs = state.reachable ? nowMs : (silentSince.get(id) ?? nowMs);
      if (!state.reachable) silent.set(id, sinceMs);
      if (nowMs - sinceMs < ctx.policy.silentMs) running++;
    }
    silentSince = silent;
    return running;
  };

  /** What `fn` gives; null when it fails, which is logged. A store that was full or failing is tried again. */
  const guarded = <T>(laneId: string, fn: () => T): T | null => {
    const ctx = context();
    try {
      return fn();
    } catch (caught) {
      ctx.log.error({ lane: laneId, err: toError(caught) }, "could not start the next job");
      const slot = ctx.slots.find(laneId);
      if (!slot || !hasCode(caught, "store.full", "store.failed")) return null;
      slot.retry?.();
      slot.retry = ctx.clock.timer(ctx.policy.storeRetryMs, () => {
        slot.retry = null;
        pump(laneId);
      });
      return null;
    }
  };

  const pump = (laneId: string) => {
    if (closed || (waits.size === 0 && !freeSlot(context(), laneId))) return;
    // While its job goes on, as with most frames of events, the lane has made no room.
    if (guarded(laneId, () => context().store.jobs.hasActive(laneId)) === false) look([laneId]);
  };

  return {
    pump,
    readmit: () => {
      if (waits.size > 0) look([]);
    },
    waitingOf: (job) => {
      const wait = waits.get(job.laneId);
      const isNext = job.state.phase === "queued" && wait?.job === job.id;
      return isNext && freeSlot(context(), job.laneId) ? { reason: wait.reason, detail: wait.detail } : null;
    },
    close: () => {
      closed = true;
      stopTimer?.();
      stopTimer = null;
    },
  };
}

/** ms until a hold is to be looked at again; infinite for one that does not end by itself. */
function untilLook({ untilMs }: Hold, nowMs: number): number {
  return untilMs === null ? Number.POSITIVE_INFINITY : Math.min(Math.max(untilMs - nowMs, 0), HOLD_LOOK_MS);
}

/** The lane's slot when a job may be sent: a link is there, nothing drains it, nothing of an earlier job is left. */
function freeSlot(ctx: DispatchContext, laneId: string): LaneSlot | null {
  const slot = ctx.slots.find(laneId);
  return slot?.link && !slot.paused && !slot.held && slot.leftovers.size === 0 ? slot : null;
}

/** The job that the lane could begin now. */
function headOf(ctx: DispatchContext, laneId: string): Job | null {
  if (!freeSlot(ctx, laneId) || ctx.store.jobs.hasActive(laneId)) return null;
  return ctx.store.jobs.nextQueued(laneId);
}
