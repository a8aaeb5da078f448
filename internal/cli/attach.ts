import { AppError, errnoOf, hasCode } from "../base/index.ts";
import type { ApiJob } from "../protocol/index.ts";
import { type Ctx, renderOptionsOf } from "./context.ts";
import { followJob, throughRestarts } from "./follow-job.ts";
import type { StopSignal } from "./io.ts";
import { createEventViewer, type EventView } from "./job-events.ts";
import { judgeJob } from "./outcome.ts";
import { renderQuestion } from "./render-inbox.ts";
import { renderList, renderWaiting } from "./render-job.ts";

const EXIT_LOGIN = 4;
const EXIT_TERMINATED = 143;
/** How often the reason why a job waits is looked up. */
const REASON_LOOK_MS = 500;

/**
 * Streams a job's output to our own until it has ended and resolves with the exit code that stands for it. The first
 * INT or TERM cancels the job and keeps streaming; the second one leaves. The daemon may restart meanwhile.
 * `submit` is called once; the signals are ours from before that, so that ^C never leaves an unknown job behind.
 */
export async function attach(ctx: Ctx, submit: () => Promise<ApiJob>): Promise<number> {
  const leave = new AbortController();
  const state: { job: string | null; asked: StopSignal | null } = { job: null, asked: null };
  const background: Promise<void>[] = [];
  const release = ctx.takeSignals((signal) => {
    if (state.asked !== null) {
      leave.abort(left(state.job, signal));
      return;
    }
    state.asked = signal;
    background.push(ctx.note("cancelling the job; once more to leave it alone"));
    if (state.job !== null) background.push(cancel(ctx, state.job, leave.signal));
  });
  try {
    const submitted = await Promise.race([submit(), aborted(leave.signal)]);
    state.job = submitted.id;
    if (state.asked !== null) background.push(cancel(ctx, submitted.id, leave.signal));
    const needsLogin = submitted.waiting === "login";
    const ended = needsLogin ? submitted : await streamWithReasons(ctx, submitted.id, leave.signal);
    if (ended.waiting === "login") return await reportLogin(ctx, ended);
    if (ctx.json) await ctx.printJson(ended, { line: true });
    return await report(ctx, ended, state.asked);
  } catch (caught) {
    // Nobody reads on (`| head`): end the job as a command would end by SIGPIPE.
    if (errnoOf(caught) === "EPIPE" && state.job !== null) await cancel(ctx, state.job, leave.signal);
    throw caught;
  } finally {
    release();
    await Promise.all(background);
  }
}

/** Nobody knows when somebody will log in: who waits here is told now. */
async function reportLogin(ctx: Ctx, job: ApiJob): Promise<number> {
  if (ctx.json) await ctx.printJson(job, { line: true });
  await ctx.note(job.detail ?? "login needed");
  await ctx.note(`job ${job.id} stays in the queue and starts after the login; to drop it: lane job cancel ${job.id}`);
  return EXIT_LOGIN;
}

/** Prints a job's events as they come; resolves with the job once it has ended, or waits for an answer: see `followJob`. */
export async function stream(
  ctx: Ctx,
  id: string,
  signal: AbortSignal,
  { after = 0, through = false }: { readonly after?: number; readonly through?: boolean } = {},
): Promise<ApiJob> {
  const api = await ctx.api();
  const events = followJob(api, id, { after, through, signal, clock: ctx.clock, ...awayHooks(ctx) });
  const view = createEventViewer();
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
    if (ctx.json) await ctx.printJson(next.value, { line: true });
    else await show(ctx, view(next.value));
  }
}

/**
 * As {@link stream}, and says what the job waits for until it runs: reasons that change are not part of its log. Gives
 * the job as it is when it waits for a login, which nobody knows when to expect.
 */
async function streamWithReasons(ctx: Ctx, id: string, signal: AbortSignal): Promise<ApiJob> {
  const done = new AbortController();
  const within = AbortSignal.any([done.signal, signal]);
  const streaming = stream(ctx, id, within);
  const needsLogin = watchQueued(ctx, id, within);
  try {
    const waits = await Promise.race([streaming.then(() => null), needsLogin]);
    return waits ?? (await streaming);
  } finally {
    done.abort();
    await Promise.allSettled([streaming, needsLogin]);
  }
}

/** Tells why the job is queued while it is. Resolves with it when it waits for a login, else with null; never rejects. */
async function watchQueued(ctx: Ctx, id: string, signal: AbortSignal): Promise<ApiJob | null> {
  const tells = !(ctx.json || ctx.quiet);
  try {
    const api = await ctx.api();
    for (;;) {
      await ctx.clock.sleep(REASON_LOOK_MS, { signal });
      const job = await api.showJob(id, { signal });
      if (job.state !== "queued") return null;
      if (job.waiting === "login") return job;
      const words = renderWaiting(job) ?? (job.detail === null ? null : `waiting: ${job.detail}`);
      if (tells && words !== null) ctx.progress.update(words);
    }
  } catch {
    // Ended, or the daemon is away: the stream says so.
    return null;
  }
}

/** Writes one event: output to where the job wrote it, remarks to stderr. */
export async function show(ctx: Ctx, view: EventView): Promise<void> {
  switch (view.kind) {
    case "output":
      await ctx.progress.clear();
      await (view.stream === "stdout" ? ctx.io.stdout : ctx.io.stderr).write(view.bytes);
      return;
    case "note":
      return ctx.note(view.text);
    case "waiting":
      ctx.progress.update(view.text);
      return;
    case "going":
      return ctx.progress.clear();
    case "nothing":
      return;
  }
}

/** Says once that the daemon is away, and once that it is back. */
export function awayHooks(ctx: Ctx) {
  return {
    onAway: (error: AppError) => ctx.progress.update(`${error.message}; waiting for laned to come back`),
    onBack: () => ctx.progress.update("attached again"),
  };
}

async function report(ctx: Ctx, job: ApiJob, asked: StopSignal | null): Promise<number> {
  const outcome = judgeJob(job);
  const left = job.kind === "prompt" ? renderList(job.git?.uncommitted) : null;
  if (left !== null && !ctx.json) await ctx.note(`not committed: ${left}`);
  await noteQuestion(ctx, job);
  if (outcome.message !== null) await ctx.note(outcome.message);
  if (outcome.hint !== null) await ctx.note(`next: ${outcome.hint}`);
  return job.state === "cancelled" && asked === "SIGTERM" ? EXIT_TERMINATED : outcome.exitCode;
}

/** What a job that waits asks. */
export async function noteQuestion(ctx: Ctx, { state, question }: ApiJob): Promise<void> {
  if (ctx.json || state !== "awaiting_answer" || !question) return;
  try {
    const item = await (await ctx.api()).showItem(question);
    for (const line of renderQuestion(item, renderOptionsOf(ctx))) await ctx.note(line);
  } catch (caught) {
    // Answered this very moment: then it is of no interest any more.
    if (!hasCode(caught, "inbox.not_found")) throw caught;
  }
}

/** Asks for the end of the job, also over a restart of the daemon. A failure shows in the stream, which goes on. */
async function cancel(ctx: Ctx, id: string, signal: AbortSignal): Promise<void> {
  try {
    const api = await ctx.api();
    await throughRestarts({ signal, clock: ctx.clock, onAway: () => {}, onBack: () => {}, wasThere: true }, () =>
      api.cancelJob(id, { signal }),
    );
  } catch (caught) {
    if (!signal.aborted)
      await ctx.note(`the job could not be cancelled: ${caught instanceof Error ? caught.message : "unknown"}`);
  }
}

function left(job: string | null, signal: StopSignal): AppError {
  return new AppError({
    code: "cancelled",
    message: job === null ? "left before the job was accepted" : `left job ${job} while it is being cancelled`,
    hint: job === null ? "see `lane jobs`" : `lane job wait ${job}`,
    details: { signal },
  });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
