import { AppError, faultPoint, newId, toError } from "../base/index.ts";
import { isActive, isTerminal, type Job, type JobSpec } from "../job/index.ts";
import { bodyHashOf } from "./body-hash.ts";
import type { DispatchContext } from "./context.ts";
import { mustFind, notFound } from "./must-find.ts";
import { sendCancel } from "./send.ts";

/** A submission's answer. `created` is false when the key was known: then it is the first job again. */
export interface Submitted {
  readonly job: Job;
  readonly created: boolean;
}

/** Commits the job, or finds it by its key, before it returns. @throws usage.invalid, request.key_conflict, lane.not_found */
export function submit(ctx: DispatchContext, opts: { readonly laneId: string; readonly spec: JobSpec }): Submitted {
  const { laneId } = opts;
  const spec = ctx.work.settle(opts.spec, laneId);
  // Of the caller's own words: what they leave open may be settled otherwise the next time.
  const bodyHash = bodyHashOf(opts.spec);
  const submitted = ctx.writer.commit((): Submitted => {
    const known = spec.key === null ? null : ctx.store.jobs.findByKey(laneId, spec.key);
    if (known) {
      if (known.bodyHash !== bodyHash) throw keyConflict(laneId, known);
      return { job: known, created: false };
    }
    const nowMs = ctx.clock.nowMs();
    const job: Job = {
      id: newId(nowMs),
      laneId,
      spec,
      bodyHash,
      state: { phase: "queued", attempt: 0, waiting: ctx.slots.find(laneId)?.waiting ?? null },
      createdAtMs: nowMs,
      startedAtMs: null,
      endedAtMs: null,
    };
    ctx.writer.insert(job);
    return { job, created: true };
  });
  faultPoint("laned.job-committed");
  if (submitted.created) ctx.pump(laneId);
  return submitted;
}

/**
 * Queued: cancelled at once. Active: the wish is on record and on its way. Ended: the job as it is. `why` goes into its
 * log. @throws job.not_found
 */
export function cancel(ctx: DispatchContext, id: string, why: string | null = null): Job {
  ctx.flush();
  const job = mustFind(ctx.store, id);
  const next = ctx.writer.apply(job, { type: "cancel" }, why === null ? {} : { detail: why });
  const slot = ctx.slots.find(next.laneId);
  if (slot && next !== job && isActive(next.state)) sendCancel(ctx, slot, next.id, next.state.attempt);
  // It may have been the one that waits for room.
  if (next !== job && isTerminal(next.state)) ctx.pump(next.laneId);
  return next;
}

/** Takes a job back that waits for its turn: as {@link cancel}, but never ends what runs. @throws job.not_found, job.started */
export function withdraw(ctx: DispatchContext, id: string): Job {
  ctx.flush();
  const { state } = mustFind(ctx.store, id);
  if (state.phase !== "queued") {
    throw new AppError({
      code: "job.started",
      message: `job ${id} is ${state.phase.replaceAll("_", " ")}: only one that is queued can be taken back`,
      hint: `cancel it, if it still runs: lane job cancel ${id}`,
    });
  }
  return cancel(ctx, id);
}

/** Queues another attempt of a job that failed, was cancelled or is lost. @throws job.not_found, request.invalid, lane.not_found */
export function retry(ctx: DispatchContext, id: string): Job {
  ctx.flush();
  const job = mustFind(ctx.store, id);
  if (!isTerminal(job.state) || job.state.phase === "succeeded") {
    throw new AppError({
      code: "request.invalid",
      message: `job ${job.id} is ${job.state.phase}: only a failed, cancelled or lost job is tried again`,
      hint: hintOfRetry(job),
    });
  }
  if (!ctx.store.jobs.hasLane(job.laneId)) {
    throw new AppError({
      code: "lane.not_found",
      message: `the lane ${job.laneId} of job ${job.id} was removed`,
      hint: "submit the work as a new job on another lane",
    });
  }
  const next = ctx.writer.apply(job, { type: "retry" }, { detail: "retry requested" });
  ctx.pump(job.laneId);
  return next;
}

/**
 * Why the lane's queued jobs wait, null for nothing but their turn. Written only when it differs from what is on record;
 * a failure is logged and tried again at the next call.
 */
export function setWaiting(ctx: DispatchContext, laneId: string, reason: string | null): void {
  const slot = ctx.slots.of(laneId);
  if (slot.waiting === reason) return;
  try {
    ctx.writer.commit(() => {
      for (const job of ctx.store.jobs.listQueued(laneId)) {
        if (job.state.phase === "queued" && job.state.waiting !== reason)
          ctx.writer.apply(job, { type: "wait", reason });
      }
    });
    slot.waiting = reason;
  } catch (caught) {
    ctx.log.error({ lane: laneId, err: toError(caught) }, "could not record why jobs wait");
  }
}

/** By id, or by the only id that starts like this. @throws job.not_found, usage.invalid when several do */
export function findJob(ctx: DispatchContext, idOrPrefix: string): Job {
  const text = idOrPrefix.toLowerCase();
  const found = /^[0-9a-z]{1,26}$/.test(text) ? ctx.store.jobs.findByPrefix(text, 2) : [];
  const [first, second] = found;
  if (first && !second) return first;
  if (!first) throw notFound(idOrPrefix);
  throw new AppError({
    code: "usage.invalid",
    message: `several jobs start with ${idOrPrefix}`,
    hint: "give more of the id; see lane jobs",
  });
}

function hintOfRetry({ id, state }: Job): string {
  if (isTerminal(state)) return "submit it as a new job";
  return state.phase === "awaiting_answer"
    ? `answer what it asks: lane answer ${state.item}; or cancel it: lane job cancel ${id}`
    : `wait for it, or cancel it first: lane job cancel ${id}`;
}

function keyConflict(laneId: string, known: Job): AppError {
  return new AppError({
    code: "request.key_conflict",
    message: `lane ${laneId}: the idempotency key ${JSON.stringify(known.spec.key)} belongs to job ${known.id}, which is other work`,
    hint: "use another key for other work",
    details: { job: known.id },
  });
}
