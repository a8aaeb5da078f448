import { faultPoint } from "../base/index.ts";
import { isActive, type Job, type JobEvent } from "../job/index.ts";
import type { DispatchContext } from "./context.ts";
import type { PendingQuestion } from "./ports.ts";

/**
 * What the end of an attempt means for its job, given what its agent has asked and not been told the outcome of: an
 * agent that has exited well after asking waits for the answer. Commands do not: run again, they would do their work
 * twice. Pure.
 */
export function decideEnd(job: Job, event: JobEvent, pending: readonly PendingQuestion[]): JobEvent {
  if (event.type !== "succeeded" || job.spec.work.kind !== "prompt") return event;
  if (isActive(job.state) && job.state.cancelling) return event;
  const first = pending.find(({ settled }) => !settled) ?? pending[0];
  return first ? { type: "awaits", item: first.id, result: event.result } : event;
}

/**
 * With the outcome of which questions an attempt begins: of all that have been settled meanwhile; and once more of those
 * that the attempt before it began with, unless that ended by itself, having asked something else. `own`: what it began
 * with when it was taken back before. Pure.
 */
export function chooseAnswers(facts: {
  readonly pending: readonly PendingQuestion[];
  readonly before: readonly string[];
  readonly awaited: boolean;
  readonly own: readonly string[];
}): readonly string[] {
  const settled = facts.pending.flatMap(({ id, settled }) => (settled ? [id] : []));
  return [...new Set([...(facts.awaited ? [] : facts.before), ...facts.own, ...settled])];
}

/** Queues a job that waits for an answer when nothing it asked is open any more. Runs inside the transaction. */
export function wakeAnswered(ctx: DispatchContext, job: Job): Job {
  if (job.state.phase !== "awaiting_answer") return job;
  const pending = ctx.questions?.listPending(job.id) ?? [];
  return pending.every(({ settled }) => settled)
    ? ctx.writer.apply(job, { type: "answered" }, { detail: "its question is settled" })
    : job;
}

/** Puts on record with which answers the attempt begins that has just been made. Runs inside the transaction. */
export function carryAnswers(ctx: DispatchContext, { id, state: { attempt } }: Job): void {
  const { questions } = ctx;
  const { jobs } = ctx.store;
  if (!questions || attempt < 2) return;
  const items = chooseAnswers({
    pending: questions.listPending(id),
    before: jobs.listAnswers(id, attempt - 1),
    awaited: jobs.findAttempt(id, attempt - 1)?.outcome?.phase === "awaiting_answer",
    own: jobs.listAnswers(id, attempt),
  });
  if (items.length === 0) return;
  jobs.putAnswers(id, attempt, items);
  questions.markDelivered(items);
}

/** See `Dispatcher.onQuestionSettled`. */
export function questionSettled(ctx: DispatchContext, jobId: string): void {
  const job = ctx.store.jobs.find(jobId);
  if (job?.state.phase !== "awaiting_answer") return;
  const next = ctx.writer.commit(() => wakeAnswered(ctx, job));
  if (next === job) return;
  faultPoint("answer.settling");
  ctx.tasks.run("resume", async () => {
    // The caller's commit is over by then.
    await Promise.resolve();
    faultPoint("answer.resumed");
    ctx.pump(job.laneId);
  });
}
