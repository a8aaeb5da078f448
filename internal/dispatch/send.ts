import { AppError, faultPoint, hasCode, renderDuration, throwIfAborted, toAppError } from "../base/index.ts";
import { isActive, type Job, type JobError } from "../job/index.ts";
import type { AttemptReport, StartWork } from "../protocol/index.ts";
import type { DispatchContext } from "./context.ts";
import { attemptKey, type LaneSlot } from "./lane-slot.ts";
import { NO_RESULT } from "./outcome.ts";
import type { LaneLink } from "./ports.ts";
import { redactError } from "./redact-events.ts";

/** Refusals that say nothing about the work: another generation's worker, or one that is ending. It never took it. */
const NOT_HERE: ReadonlySet<string> = new Set(["stale_generation", "stopping"]);

/**
 * Sends the job's attempt, which is on record, on the lane's link, and records the answer. May be repeated for the same
 * attempt, also for one that the worker has taken. Whatever happens on the way, the next link resolves what is open.
 */
export function sendStart(ctx: DispatchContext, slot: LaneSlot, link: LaneLink, job: Job): void {
  const key = attemptKey(job.id, job.state.attempt);
  const { signal } = slot.linkGone;
  slot.preparing = key;
  ctx.tasks.run("start", async () => {
    try {
      const work = await resolveWork(ctx, job, signal);
      // Another link resolves the attempt anew.
      if (signal.aborted) return;
      if (slot.preparing === key) slot.preparing = null;
      await sendPrepared(ctx, slot, link, { job, work, signal });
    } catch (caught) {
      // No answer, or it could not be stored: it is found out from the worker on another link.
      dropIfOpen(ctx, slot, link, caught);
    }
  });
}

async function sendPrepared(
  ctx: DispatchContext,
  slot: LaneSlot,
  link: LaneLink,
  opts: { readonly job: Job; readonly work: Resolved; readonly signal: AbortSignal },
): Promise<void> {
  const { job, work } = opts;
  const fresh = currentOf(ctx, job);
  if (!fresh) return;
  if (work.kind === "failed") return end(ctx, fresh, work.error);
  if (isActive(fresh.state) && fresh.state.cancelling) return takeBack(ctx, slot, fresh);
  const error = await exchange(ctx, link, { job, work: work.work, signal: opts.signal });
  // An answer that comes when another link is there already is of the past: that link has resolved the attempt.
  if (opts.signal.aborted) return;
  // Events that came with the answer may have moved it on already.
  ctx.flush();
  const now = currentOf(ctx, job);
  if (!now) return;
  if (!error) ctx.writer.apply(now, { type: "accepted" });
  else if (now.state.phase === "dispatching" && !NOT_HERE.has(error.code)) {
    end(ctx, now, { code: "refused", message: `${error.code}: ${error.message}` });
  } else {
    slot.held = true;
    const reason = ctx.redact(error.message);
    if (now.state.phase === "dispatching") ctx.writer.apply(now, { type: "undispatch", reason });
    throw new AppError({ code: "worker.refused", message: `lane ${slot.laneId}: ${reason}`, retry: "retryable" });
  }
}

/** Cancelled while it was being prepared: one that the worker does not have is not sent at all. */
function takeBack(ctx: DispatchContext, slot: LaneSlot, job: Job): void {
  if (job.state.phase !== "dispatching") {
    sendCancel(ctx, slot, job.id, job.state.attempt);
    return;
  }
  ctx.writer.apply(job, { type: "undispatch", reason: "cancelled" });
  ctx.pump(slot.laneId);
}

/** Sends it; null when the worker has it, else why it never will. Rejects when no answer came. */
async function exchange(
  ctx: DispatchContext,
  link: LaneLink,
  opts: { readonly job: Job; readonly work: StartWork; readonly signal: AbortSignal },
): Promise<JobError | null> {
  const { job, work, signal } = opts;
  const { attempt } = job.state;
  try {
    const request = { job: job.id, attempt, generation: link.generation, bodyHash: job.bodyHash, work };
    await answered(ctx, signal, (within) => {
      const answer = link.start(request, { signal: within });
      faultPoint("laned.start-sent");
      return answer;
    });
    return null;
  } catch (caught) {
    if (hasCode(caught, "worker.refused")) return refusalOf(caught);
    // It does not fit a frame, so it was never sent, and never can be.
    if (hasCode(caught, "request.too_large")) return { code: "too_large", message: caught.message };
    throw caught;
  }
}

/** Sends the wish to cancel an active attempt. An answer that does not come is asked for again on the next link. */
export function sendCancel(ctx: DispatchContext, slot: LaneSlot, job: string, attempt: number): void {
  const { link } = slot;
  // An attempt that was not sent yet is taken back by sendStart.
  if (!link || slot.preparing === attemptKey(job, attempt)) return;
  const { signal } = slot.linkGone;
  ctx.tasks.run("cancel", async () => {
    try {
      const report = await answered(ctx, signal, (within) => link.cancel({ job, attempt }, { signal: within }));
      if (signal.aborted) return;
      ctx.flush();
      if (report.state === "finished") findNoOutcome(ctx, report);
    } catch (caught) {
      if (signal.aborted) return;
      if (!hasCode(caught, "worker.refused")) return dropIfOpen(ctx, slot, link, caught);
      ctx.log.warn({ lane: slot.laneId, jobId: job, attempt, err: caught }, "worker refused to cancel");
      if (slot.leftovers.delete(attemptKey(job, attempt))) ctx.pump(slot.laneId);
    }
  });
}

/** The worker says that it has ended, and we have all it ever said of it, but no end: there will be none. */
function findNoOutcome(ctx: DispatchContext, report: AttemptReport): void {
  const job = ctx.store.jobs.find(report.job);
  const record = ctx.store.jobs.findAttempt(report.job, report.attempt);
  if (!job || !record || !isActive(job.state) || job.state.attempt !== report.attempt) return;
  if (record.finished || record.lastSeq < report.lastSeq) return;
  ctx.writer.apply(job, {
    type: "lost",
    error: { code: "spool_lost", message: "the worker has no outcome of this attempt" },
  });
  ctx.pump(job.laneId);
}

/** Waits for the worker's answer until the link goes (`gone`), and not for ever. */
async function answered<T>(
  ctx: DispatchContext,
  gone: AbortSignal,
  ask: (within: AbortSignal) => Promise<T>,
): Promise<T> {
  const wait = new AbortController();
  const onGone = () => wait.abort(gone.reason);
  gone.addEventListener("abort", onGone, { once: true });
  const stopTimer = ctx.clock.timer(ctx.policy.replyMs, () => wait.abort(noAnswer(ctx.policy.replyMs)));
  try {
    throwIfAborted(gone);
    return await ask(wait.signal);
  } finally {
    stopTimer();
    gone.removeEventListener("abort", onGone);
  }
}

function noAnswer(ms: number): AppError {
  return new AppError({
    code: "timeout",
    message: `the worker has not answered within ${renderDuration(ms)}`,
    retry: "retryable",
  });
}

type Resolved =
  | { readonly kind: "work"; readonly work: StartWork }
  | { readonly kind: "failed"; readonly error: JobError };

async function resolveWork(ctx: DispatchContext, job: Job, signal: AbortSignal): Promise<Resolved> {
  try {
    return { kind: "work", work: await ctx.work.resolve(job, { signal }) };
  } catch (caught) {
    return { kind: "failed", error: { code: "start_failed", message: toAppError(caught).message } };
  }
}

/** The job as it is now, while this attempt of it has neither ended nor been seen to start. */
function currentOf(ctx: DispatchContext, job: Job): Job | null {
  const fresh = ctx.store.jobs.find(job.id);
  const open = fresh?.state.phase === "dispatching" || fresh?.state.phase === "accepted";
  return fresh && open && fresh.state.attempt === job.state.attempt ? fresh : null;
}

function end(ctx: DispatchContext, job: Job, error: JobError): void {
  ctx.writer.apply(job, { type: "failed", result: NO_RESULT, error: redactError(error, ctx.redact) });
  ctx.pump(job.laneId);
}

function dropIfOpen(ctx: DispatchContext, slot: LaneSlot, link: LaneLink, caught: unknown): void {
  if (slot.link !== link) return;
  ctx.dropLink(slot.laneId, toAppError(caught));
}

/** The worker's own words of a refusal. */
function refusalOf(error: AppError): JobError {
  const { code, message } = error.details;
  return {
    code: typeof code === "string" ? code : "refused",
    message: typeof message === "string" ? message : error.message,
  };
}
