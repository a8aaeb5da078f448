import { AppError, errnoOf } from "../base/index.ts";
import type { ApiJob } from "../protocol/index.ts";
import type { Ctx } from "./context.ts";
import { followJob, throughRestarts } from "./follow-job.ts";
import type { StopSignal } from "./io.ts";
import { createEventViewer, type EventView } from "./job-events.ts";
import { judgeJob } from "./outcome.ts";
import { renderWaiting } from "./render-job.ts";

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
    if (submitted.waiting === "login") return await reportLogin(ctx, submitted);
    const ended = await streamWithReasons(ctx, submitted.id, leave.signal);
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

/** Prints a job's events as they come; resolves with the job once it has ended. */
export async function stream(ctx: Ctx, id: string, signal: AbortSignal, after = 0): Promise<ApiJob> {
  const api = await ctx.api();
  const events = followJob(api, id, { after, signal, clock: ctx.clock, ...awayHooks(ctx) });
  const view = createEventViewer();
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
    if (ctx.json) await ctx.printJson(next.value, { line: true });
    else await show(ctx, view(next.value));
  }
}

/** As {@link stream}, and says what the job waits for until it runs: reasons that change are not part of its log. */
async function streamWithReasons(ctx: Ctx, id: string, signal: AbortSignal): Promise<ApiJob> {
  const done = new AbortController();
  const telling = ctx.json || ctx.quiet ? null : tellReasons(ctx, id, AbortSignal.any([done.signal, signal]));
  try {
    return await stream(ctx, id, signal);
  } finally {
    done.abort();
    await telling;
  }
}

async function tellReasons(ctx: Ctx, id: string, signal: AbortSignal): Promise<void> {
  const api = await ctx.api();
  try {
    for (;;) {
      await ctx.clock.sleep(REASON_LOOK_MS, { signal });
      const job = await api.showJob(id, { signal });
      if (job.state !== "queued") return;
      const words = renderWaiting(job) ?? (job.detail === null ? null : `waiting: ${job.detail}`);
      if (words !== null) ctx.progress.update(words);
    }
  } catch {
    // Ended, or the daemon is away: the stream says so.
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
  if (outcome.message !== null) await ctx.note(outcome.message);
  if (outcome.hint !== null) await ctx.note(`next: ${outcome.hint}`);
  return job.state === "cancelled" && asked === "SIGTERM" ? EXIT_TERMINATED : outcome.exitCode;
}

/** Asks for the end of the job, also over a restart of the daemon. A failure shows in the stream, which goes on. */
async function cancel(ctx: Ctx, id: string, signal: AbortSignal): Promise<void> {
  try {
    const api = await ctx.api();
    await throughRestarts({ signal, clock: ctx.clock, onAway: () => {}, onBack: () => {} }, () =>
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
