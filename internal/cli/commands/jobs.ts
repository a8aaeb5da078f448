import type { Command } from "commander";
import { AppError, parseDurationMs } from "../../base/index.ts";
import { noteQuestion, stream } from "../attach.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { judgeJob } from "../outcome.ts";
import { readEvents } from "../read-events.ts";
import { renderJob, renderJobs } from "../render-job.ts";
import { addGroup, type DefineVerb } from "../verb.ts";
import { parseCount } from "./lanes.ts";

const JOBS_DEFAULT = 30;

/** `jobs` and `job …`. */
export function defineJobVerbs(program: Command, define: DefineVerb): void {
  define<WorkspaceOption & { readonly limit?: number }>(program, {
    usage: "jobs [lane]",
    summary: "list jobs, newest first: of a lane, or of all",
    options: [WORKSPACE_OPTION, ["-n, --limit <count>", `at most this many (default ${JOBS_DEFAULT})`, parseCount]],
    examples: ["lane jobs", "lane jobs fix-login -n 5 --json"],
    exits: ["3  no such lane"],
    run: list,
  });
  const group = addGroup(program, "job", "one job");
  const missing = "3  no such job";
  define(group, {
    usage: "show <job>",
    summary: "everything about a job",
    examples: ["lane job show 01jz…"],
    exits: [missing],
    run: async (ctx, [id = ""]) => {
      const job = await (await ctx.api()).showJob(id);
      if (ctx.json) await ctx.printJson(job);
      else await ctx.print(...renderJob(job, renderOptionsOf(ctx)));
      return 0;
    },
  });
  define<{ readonly follow?: boolean; readonly after?: number }>(group, {
    usage: "events <job>",
    summary: "a job's events as JSON lines",
    options: [
      ["-f, --follow", "go on until the job has ended"],
      ["--after <seq>", "only those after this number", parseSeq],
    ],
    examples: ["lane job events 01jz…", "lane job events 01jz… -f --after 120"],
    exits: [missing],
    run: events,
  });
  define(group, {
    usage: "cancel <job>",
    summary: "cancel a job; one that has ended stays as it is",
    examples: ["lane job cancel 01jz…"],
    exits: [missing],
    run: async (ctx, [id = ""]) => {
      const job = await (await ctx.api()).cancelJob(id);
      if (ctx.json) await ctx.printJson(job);
      else await ctx.print(`job ${job.id} is ${job.state}${job.state === "running" ? ", being cancelled" : ""}`);
      return 0;
    },
  });
  define(group, {
    usage: "retry <job>",
    summary: "run a failed, cancelled or lost job once more",
    examples: ["lane job retry 01jz…"],
    exits: [missing, "5  it has not ended"],
    run: async (ctx, [id = ""]) => {
      const job = await (await ctx.api()).retryJob(id);
      if (ctx.json) await ctx.printJson(job);
      else await ctx.print(`job ${job.id} is ${job.state} again`);
      return 0;
    },
  });
  define<{ readonly timeout?: number }>(group, {
    usage: "wait <job>",
    summary: "wait until a job has ended",
    options: [["--timeout <duration>", "give up after this long", parseDurationMs]],
    examples: ["lane job wait 01jz… --timeout 10m"],
    exits: [
      missing,
      "7  it has not ended in time",
      "8  it waits for an answer",
      "124  the deadline ended it",
      "130  it was cancelled",
      "else  its command's exit code",
    ],
    run: wait,
  });
}

function parseSeq(text: string): number {
  const seq = Number(text);
  if (Number.isInteger(seq) && seq >= 0 && text.trim() !== "") return seq;
  throw new AppError({
    code: "usage.invalid",
    message: `not an event's number: ${JSON.stringify(text)}`,
    hint: "write a whole number",
  });
}

async function list(
  ctx: Ctx,
  [named]: readonly string[],
  opts: WorkspaceOption & { readonly limit?: number },
): Promise<number> {
  const api = await ctx.api();
  const limit = opts.limit ?? JOBS_DEFAULT;
  const jobs =
    named === undefined
      ? await api.listJobs(limit)
      : await api.listLaneJobs(await resolveLane(ctx, named, opts), limit);
  if (ctx.json) await ctx.printJson(jobs);
  else if (jobs.length > 0) await ctx.print(...renderJobs(jobs, renderOptionsOf(ctx)));
  else await ctx.note("no jobs: `lane run <lane> -- CMD`");
  return 0;
}

async function events(
  ctx: Ctx,
  [id = ""]: readonly string[],
  opts: { readonly follow?: boolean; readonly after?: number },
): Promise<number> {
  const after = opts.after ?? 0;
  if (opts.follow) {
    await stream({ ...ctx, json: true }, id, ctx.signal, { after, through: true });
    return 0;
  }
  for await (const event of readEvents(await ctx.api(), id, after)) await ctx.printJson(event, { line: true });
  return 0;
}

async function wait(ctx: Ctx, [id = ""]: readonly string[], opts: { readonly timeout?: number }): Promise<number> {
  const deadline = new AbortController();
  const ms = opts.timeout ?? 0;
  const late = () =>
    deadline.abort(
      new AppError({
        code: "timeout",
        message: `job ${id} has not ended within ${ms} ms`,
        hint: `it goes on: lane job show ${id}`,
      }),
    );
  const disarm = opts.timeout === undefined ? () => {} : ctx.clock.timer(ms, late);
  try {
    ctx.progress.update(`waiting for job ${id}`);
    const job = await stream(
      { ...ctx, json: false, io: silent(ctx) },
      id,
      AbortSignal.any([ctx.signal, deadline.signal]),
    );
    if (ctx.json) await ctx.printJson(job);
    else await ctx.print(`job ${job.id} ${job.state}`);
    const outcome = judgeJob(job);
    await noteQuestion(ctx, job);
    if (job.state === "awaiting_answer" && outcome.hint !== null) await ctx.note(`next: ${outcome.hint}`);
    return outcome.exitCode;
  } finally {
    disarm();
  }
}

/** The same process with outputs that go nowhere: whoever waits does not want the job's output. */
function silent(ctx: Ctx): Ctx["io"] {
  const nowhere = { write: async () => {}, isTty: false, columns: undefined };
  return { ...ctx.io, stdout: nowhere, stderr: nowhere };
}
