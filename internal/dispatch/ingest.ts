import { AppError, faultPoint, toAppError } from "../base/index.ts";
import { isActive, type Job, type WorkerEvent } from "../job/index.ts";
import { decideEnd, wakeAnswered } from "./answers.ts";
import type { DispatchContext } from "./context.ts";
import { type Ack, attemptKey, keepAck, type LaneSlot } from "./lane-slot.ts";
import { toJobEvent } from "./outcome.ts";
import type { AttemptFiles } from "./ports.ts";
import { redactEvents } from "./redact-events.ts";
import { sendCancel } from "./send.ts";

/** One `events` frame of a lane's link. */
export interface EventFrame {
  readonly laneId: string;
  readonly generation: number;
  readonly job: string;
  readonly attempt: number;
  readonly events: readonly WorkerEvent[];
}

/** Takes frames in and stores them. */
export interface Ingest {
  /** Queues a frame; it is stored at the end of this turn of the event loop, with the others of the turn. */
  push(frame: EventFrame): void;
  /** Stores what is queued now. Never throws: what cannot be stored is not acknowledged and comes again. */
  flush(): void;
}

/** Attempts not on record that are named in the log, per lane: a worker can make up any number. */
const STRANGERS_NAMED = 20;

/** What became of a frame. */
type Verdict =
  | { readonly kind: "stored"; readonly job: Job; readonly seq: number; readonly fresh: readonly WorkerEvent[] }
  | { readonly kind: "ignored" }
  | { readonly kind: "violation"; readonly error: AppError };

/** See {@link Ingest}. The context's own `flush` is this one's. */
export function createIngest(ctx: () => DispatchContext): Ingest {
  let pending: EventFrame[] = [];
  let scheduled: NodeJS.Immediate | null = null;

  const flush = () => {
    if (scheduled) clearImmediate(scheduled);
    scheduled = null;
    if (pending.length === 0) return;
    const batch = pending;
    pending = [];
    storeBatch(ctx(), batch);
  };

  return {
    push: (frame) => {
      pending.push(frame);
      scheduled ??= setImmediate(flush);
    },
    flush,
  };
}

/** One commit for all; when that fails, one per lane, so that a lane whose frames cannot be stored harms no other. */
function storeBatch(ctx: DispatchContext, batch: readonly EventFrame[]): void {
  try {
    finish(ctx, batch, storeFrames(ctx, batch));
  } catch (caught) {
    const lanes = new Set(batch.map((frame) => frame.laneId));
    for (const laneId of lanes) {
      const frames = batch.filter((frame) => frame.laneId === laneId);
      storeLane(ctx, laneId, { frames, first: lanes.size === 1 ? caught : null });
    }
  }
}

function storeLane(
  ctx: DispatchContext,
  laneId: string,
  opts: { readonly frames: readonly EventFrame[]; readonly first: unknown },
): void {
  try {
    if (opts.first !== null) throw opts.first;
    finish(ctx, opts.frames, storeFrames(ctx, opts.frames));
  } catch (caught) {
    ctx.log.error({ lane: laneId, err: caught }, "events could not be stored");
    ctx.dropLink(laneId, toAppError(caught));
  }
}

function storeFrames(ctx: DispatchContext, frames: readonly EventFrame[]): readonly Verdict[] {
  faultPoint("laned.before-events");
  const verdicts = ctx.writer.commit(() => frames.map((frame) => storeFrame(ctx, frame)));
  faultPoint("laned.events-committed");
  return verdicts;
}

/** After the commit: acknowledge, drop offenders, start what may start now. */
function finish(ctx: DispatchContext, frames: readonly EventFrame[], verdicts: readonly Verdict[]): void {
  const acks = new Map<string, { readonly frame: EventFrame; readonly seq: number; readonly job: Job }>();
  const offenders = new Map<string, AppError>();
  frames.forEach((frame, i) => {
    const verdict = verdicts[i];
    if (verdict?.kind === "stored") {
      if (verdict.fresh.length > 0) ctx.watch.onEvents(verdict.job, frame.attempt, verdict.fresh);
      acks.set(attemptKey(frame.job, frame.attempt), { frame, seq: verdict.seq, job: verdict.job });
    } else if (verdict?.kind === "violation" && !offenders.has(frame.laneId)) {
      offenders.set(frame.laneId, verdict.error);
    }
  });
  for (const { frame, seq, job } of acks.values()) {
    const slot = ctx.slots.of(frame.laneId);
    acknowledge(ctx, slot, { job: frame.job, attempt: frame.attempt, seq });
    stopLeftover(ctx, slot, { frame, job });
  }
  for (const [laneId, error] of offenders) {
    ctx.log.warn({ lane: laneId, err: error }, "worker broke the protocol");
    ctx.dropLink(laneId, error);
  }
  for (const laneId of new Set(frames.map((frame) => frame.laneId))) ctx.pump(laneId);
  if (ctx.files) fileEvents(ctx.files, frames, verdicts);
}

/** Last of all: nobody waits for the files. One write per attempt. */
function fileEvents(files: AttemptFiles, frames: readonly EventFrame[], verdicts: readonly Verdict[]): void {
  const batches = new Map<string, { readonly frame: EventFrame; readonly events: WorkerEvent[] }>();
  frames.forEach((frame, i) => {
    const verdict = verdicts[i];
    if (verdict?.kind !== "stored" || verdict.fresh.length === 0) return;
    const key = attemptKey(frame.job, frame.attempt);
    const batch = batches.get(key) ?? { frame, events: [] };
    for (const event of verdict.fresh) batch.events.push(event);
    batches.set(key, batch);
  });
  for (const { frame, events } of batches.values()) files.append(frame.job, frame.attempt, events);
}

function acknowledge(ctx: DispatchContext, slot: LaneSlot, ack: Ack): void {
  keepAck(slot, ack);
  faultPoint("laned.before-ack");
  try {
    slot.link?.ack(ack.job, ack.attempt, ack.seq);
  } catch (caught) {
    ctx.log.debug({ lane: slot.laneId, jobId: ack.job, err: caught }, "acknowledgement not sent");
  }
}

/** An attempt that has ended on record must not go on in the lane. */
function stopLeftover(
  ctx: DispatchContext,
  slot: LaneSlot,
  opts: { readonly frame: EventFrame; readonly job: Job },
): void {
  const { frame, job } = opts;
  const key = attemptKey(job.id, frame.attempt);
  const ended = frame.events.some((event) => event.type === "finished");
  if (ended) slot.leftovers.delete(key);
  else if (slot.link && !isCurrent(job, frame.attempt) && !slot.leftovers.has(key)) {
    slot.leftovers.add(key);
    sendCancel(ctx, slot, job.id, frame.attempt);
  }
}

/** Runs inside the transaction. */
function storeFrame(ctx: DispatchContext, frame: EventFrame): Verdict {
  const { laneId, attempt } = frame;
  const slot = ctx.slots.of(laneId);
  if (frame.generation < slot.generation) return { kind: "ignored" };
  const job = ctx.store.jobs.find(frame.job);
  const record = job ? ctx.store.jobs.findAttempt(job.id, attempt) : null;
  if (!job || !record) {
    // As after the store was restored from a backup. Left in place: it is not ours to end, nor to acknowledge.
    const key = attemptKey(frame.job, attempt);
    if (!slot.strangers.has(key) && slot.strangers.size < STRANGERS_NAMED) {
      slot.strangers.add(key);
      ctx.log.warn({ lane: laneId, jobId: frame.job, attempt }, "events of an attempt that is not on record");
    }
    return { kind: "ignored" };
  }
  if (job.laneId !== laneId) return violation(frame, "sent events of another lane's job");
  const fresh = frame.events.filter((event) => event.seq > record.lastSeq);
  if (record.finished && fresh.every(isSecondEnd)) {
    // All of it is known: acknowledged, so that the worker lets go of it, and not stored.
    return { kind: "stored", job, seq: fresh.at(-1)?.seq ?? record.lastSeq, fresh: [] };
  }
  const reason = whyBroken(frame.events, { lastSeq: record.lastSeq, fresh, finished: record.finished });
  if (reason !== null) return violation(frame, reason);
  if (fresh.length === 0) return { kind: "stored", job, seq: record.lastSeq, fresh };

  const events = redactEvents(fresh, ctx.redact);
  ctx.writer.touch(job.id);
  const next = append(ctx, { job, attempt, events });
  return { kind: "stored", job: next, seq: record.lastSeq + fresh.length, fresh: events };
}

/**
 * A worker whose disk was full may have sent an end that it could not keep. The next worker process on that volume
 * finds a start without an end, and ends the attempt once more.
 */
function isSecondEnd(event: WorkerEvent): boolean {
  return event.type === "finished" && event.outcome.kind === "failed" && event.outcome.error.code === "interrupted";
}

function whyBroken(
  events: readonly WorkerEvent[],
  at: { readonly lastSeq: number; readonly fresh: readonly WorkerEvent[]; readonly finished: boolean },
): string | null {
  const first = at.fresh[0];
  if (first && first.seq !== at.lastSeq + 1) return `skipped from event ${at.lastSeq} to ${first.seq}`;
  for (const [i, event] of events.entries()) {
    const before = events[i - 1];
    if (before && event.seq !== before.seq + 1) return `sent event ${event.seq} after ${before.seq}`;
    if (before?.type === "finished") return "sent events after the end of an attempt";
  }
  return first && at.finished ? "sent events after the end of an attempt" : null;
}

/** Appends the events, each change of state right behind the event that makes it. */
function append(
  ctx: DispatchContext,
  at: { readonly job: Job; readonly attempt: number; readonly events: readonly WorkerEvent[] },
): Job {
  const { attempt, events } = at;
  let job = at.job;
  let from = 0;
  for (const [i, event] of events.entries()) {
    if (event.type === "session") ctx.store.jobs.putSession(job.id, event.session, ctx.clock.nowMs());
    const judged = job;
    const change = isCurrent(job, attempt) ? toJobEvent(event, (result) => ctx.work.judge(judged, result)) : null;
    if (!change) continue;
    ctx.store.jobs.appendWorkerEvents(job.id, attempt, events.slice(from, i + 1));
    from = i + 1;
    // The worker's clock is the lane's; a time ahead of ours is not believed.
    const end = decideEnd(job, change.event, ctx.questions?.listPending(job.id) ?? []);
    const goesOn = change.again !== null;
    job = ctx.writer.apply(job, end, { atMs: Math.min(event.atMs, ctx.clock.nowMs()), goesOn });
    if (goesOn) job = ctx.writer.apply(job, { type: "retry" }, { detail: change.again });
    // What was answered between the end and now.
    job = wakeAnswered(ctx, job);
  }
  ctx.store.jobs.appendWorkerEvents(job.id, attempt, events.slice(from));
  return job;
}

/** Is this attempt the one that the job is at, and not ended? */
function isCurrent(job: Job, attempt: number): boolean {
  return isActive(job.state) && job.state.attempt === attempt;
}

function violation(frame: EventFrame, what: string): Verdict {
  return {
    kind: "violation",
    error: new AppError({
      code: "worker.protocol",
      message: `lane ${frame.laneId}: the worker ${what} (job ${frame.job}, attempt ${frame.attempt})`,
      hint: "the link is opened again; if it goes on, recreate the lane: lane recreate <lane>",
      retry: "retryable",
    }),
  };
}
