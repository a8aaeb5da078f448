import { AppError, toError } from "../base/index.ts";
import { isActive, type Job, type JobError } from "../job/index.ts";
import type { AttemptReport } from "../protocol/index.ts";
import type { DispatchContext } from "./context.ts";
import { attemptKey, type LaneSlot } from "./lane-slot.ts";
import type { LaneLink } from "./ports.ts";
import { type Resolution, resolveAttempt } from "./resolve-attempt.ts";
import { sendCancel, sendStart } from "./send.ts";

/** What is to be sent once the resolution is on record. */
interface Sends {
  readonly starts: Job[];
  /** Attempts to be cancelled; `leftover` when they have ended on record. */
  readonly cancels: { readonly job: string; readonly attempt: number; readonly leftover: boolean }[];
}

/** A link, and what its worker was told in the opening. */
interface Opening {
  readonly link: LaneLink;
  readonly told: ReadonlyMap<string, number>;
}

/**
 * Takes over a link that has just been opened: resolves every active attempt of the lane by what the worker knows, in
 * one commit, then sends what follows from it.
 * @throws worker.protocol for a link of an earlier generation, store.*; the lane has no link then
 */
export function attachLink(ctx: DispatchContext, link: LaneLink): void {
  ctx.flush();
  const slot = ctx.slots.of(link.laneId);
  if (link.generation < slot.generation) throw outdated(link, slot.generation);
  releaseLink(slot);
  slot.generation = link.generation;
  const { told } = slot;
  slot.told = new Map();
  const sends: Sends = { starts: [], cancels: [] };
  ctx.writer.commit(() => resolveLane(ctx, { link, told }, sends));

  slot.link = link;
  slot.linkGone = new AbortController();
  slot.held = false;
  slot.leftovers.clear();
  for (const ack of slot.acks.values()) link.ack(ack.job, ack.attempt, ack.seq);
  slot.acks.clear();
  for (const { job, attempt, leftover } of sends.cancels) {
    if (leftover) slot.leftovers.add(attemptKey(job, attempt));
    sendCancel(ctx, slot, job, attempt);
  }
  for (const job of sends.starts) sendStart(ctx, slot, link, job);
  ctx.pump(link.laneId);
}

/** The link has gone: says nothing about any job. Never throws. `link`: only if it is this one. */
export function detachLink(ctx: DispatchContext, laneId: string, link?: LaneLink): void {
  ctx.flush();
  const slot = ctx.slots.find(laneId);
  if (!slot?.link || (link !== undefined && slot.link !== link)) return;
  releaseLink(slot);
  try {
    ctx.writer.commit(() => {
      for (const job of ctx.store.jobs.listActive(laneId)) ctx.writer.apply(job, { type: "unreachable" });
    });
  } catch (caught) {
    ctx.log.error({ lane: laneId, err: toError(caught) }, "could not record that jobs are out of reach");
  }
  ctx.readmit();
}

function releaseLink(slot: LaneSlot): void {
  slot.link = null;
  slot.preparing = null;
  slot.linkGone.abort(new AppError({ code: "cancelled", message: `the link to lane ${slot.laneId} has gone` }));
}

/** Runs inside the transaction. */
function resolveLane(ctx: DispatchContext, at: Opening, sends: Sends): void {
  const { jobs } = ctx.store;
  const { link, told } = at;
  const known = jobs.findSpool(link.laneId);
  if (known !== link.spool) jobs.saveSpool(link.laneId, link.spool, ctx.clock.nowMs());
  const reports = new Map(link.attempts.map((report) => [attemptKey(report.job, report.attempt), report]));
  for (const job of jobs.listActive(link.laneId)) {
    if (!isActive(job.state)) continue;
    const { state } = job;
    const key = attemptKey(job.id, state.attempt);
    const resolution = resolveAttempt({
      state,
      bodyHash: job.bodyHash,
      toldSeq: told.get(key) ?? 0,
      sameSpool: known === link.spool,
      report: reports.get(key) ?? null,
    });
    settle(ctx, { job, attempt: state.attempt, resolution, generation: link.generation }, sends);
    reports.delete(key);
  }
  for (const report of reports.values()) findLeftover(ctx, link, { report, sends });
}

function settle(
  ctx: DispatchContext,
  at: {
    readonly job: Job;
    readonly attempt: number;
    readonly resolution: Resolution;
    readonly generation: number;
  },
  sends: Sends,
): void {
  const { job, attempt, resolution } = at;
  const { writer } = ctx;
  if (resolution.kind === "never_sent") {
    writer.apply(job, { type: "undispatch", reason: "cancelled" });
    return;
  }
  if (resolution.kind === "lost") {
    markLost(ctx, job, resolution.error);
    if (resolution.stop) sends.cancels.push({ job: job.id, attempt, leftover: true });
    return;
  }
  const reached = writer.apply(job, { type: "reachable", generation: at.generation });
  const unknown = resolution.kind === "send" && !resolution.accepted;
  const now = unknown ? reached : writer.apply(reached, { type: "accepted" });
  if (resolution.kind === "send") sends.starts.push(now);
  if (resolution.kind === "resume" && resolution.cancel) sends.cancels.push({ job: job.id, attempt, leftover: false });
}

/**
 * Ends the attempt as lost. The job's own policy may queue the next one, with the cause in its log; not when somebody
 * wanted it ended.
 */
export function markLost(ctx: DispatchContext, job: Job, error: JobError): void {
  const unwanted = isActive(job.state) && job.state.cancelling;
  const goesOn = job.spec.retry === "on_lost" && !unwanted;
  const lost = ctx.writer.apply(job, { type: "lost", error }, { goesOn });
  if (!goesOn) return;
  ctx.writer.apply(lost, { type: "retry" }, { detail: `retry after ${error.code}: ${error.message}` });
}

/** An attempt that has ended on record must not go on in the lane, nor be started there. */
function findLeftover(
  ctx: DispatchContext,
  link: LaneLink,
  at: { readonly report: AttemptReport; readonly sends: Sends },
): void {
  const { job: id, attempt, state } = at.report;
  if (state === "finished") return;
  const job = ctx.store.jobs.find(id);
  // Its end may have come since the report was made.
  if (job && ctx.store.jobs.findAttempt(id, attempt)?.finished) return;
  if (job?.laneId === link.laneId) at.sends.cancels.push({ job: id, attempt, leftover: true });
  else ctx.log.warn({ lane: link.laneId, jobId: id, attempt }, "the worker runs an attempt that is not on record");
}

function outdated(link: LaneLink, generation: number): AppError {
  return new AppError({
    code: "worker.protocol",
    message: `lane ${link.laneId}: a link to generation ${link.generation} came after generation ${generation}`,
    details: { lane: link.laneId, generation: link.generation, current: generation },
  });
}
