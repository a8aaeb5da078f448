import type { Command } from "commander";
import { parseDurationMs } from "../../base/index.ts";
import type { ApiJob } from "../../protocol/index.ts";
import type { FeedMessage, LaneRef } from "../api.ts";
import { awayHooks, show, stream } from "../attach.ts";
import type { Ctx } from "../context.ts";
import { followFeed } from "../follow-feed.ts";
import { createEventViewer } from "../job-events.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { isEnded } from "../outcome.ts";
import { readEvents } from "../read-events.ts";
import { renderJobWork } from "../render-job.ts";
import { toPlain } from "../text.ts";
import type { DefineVerb } from "../verb.ts";
import { parseCount } from "./lanes.ts";

interface LogsOptions extends WorkspaceOption {
  readonly follow?: boolean;
  readonly since?: number;
  readonly container?: boolean;
  readonly lines?: number;
}

const LINES_DEFAULT = 200;
/** Jobs looked through for `--since`. */
const JOBS_MAX = 200;

/** `logs`. */
export function defineLogs(program: Command, define: DefineVerb): void {
  define<LogsOptions>(program, {
    usage: "logs [lane]",
    summary: "what a lane's jobs wrote: the newest one, or those since a while",
    options: [
      WORKSPACE_OPTION,
      ["-f, --follow", "go on with the running job and those after it, until ^C"],
      ["--since <duration>", "of all jobs in this last while", parseDurationMs],
      ["--container", "the container's own output instead: the worker's messages"],
      ["-n, --lines <count>", `with --container: the last lines (default ${LINES_DEFAULT})`, parseCount],
    ],
    examples: [
      "lane logs fix-login",
      "lane logs fix-login -f",
      "lane logs fix-login --since 2h",
      "lane logs fix-login --container -n 50",
    ],
    exits: ["3  no such lane"],
    run: logs,
  });
}

async function logs(ctx: Ctx, [named]: readonly string[], opts: LogsOptions): Promise<number> {
  const lane = await resolveLane(ctx, named, opts);
  if (opts.container) return containerLogs(ctx, lane, opts.lines ?? LINES_DEFAULT);
  const api = await ctx.api();
  const sinceMs = opts.since === undefined ? null : ctx.clock.nowMs() - opts.since;
  const jobs = await api.listLaneJobs(lane, sinceMs === null ? 1 : JOBS_MAX);
  const chosen = jobs
    .filter((job) => sinceMs === null || job.endedAt === null || Date.parse(job.endedAt) >= sinceMs)
    .toReversed();
  if (chosen.length === 0 && !opts.follow) await ctx.note("no jobs: `lane run <lane> -- CMD`");
  const shown = new Set<string>();
  for (const job of chosen) {
    shown.add(job.id);
    await printJob(ctx, job, sinceMs, opts.follow === true);
  }
  return opts.follow ? followNew(ctx, lane, shown) : 0;
}

async function containerLogs(ctx: Ctx, lane: LaneRef, lines: number): Promise<number> {
  const found = await (await ctx.api()).logsOfLane(lane, lines);
  if (ctx.json) await ctx.printJson(found);
  else await ctx.print(...found.lines);
  return 0;
}

async function printJob(ctx: Ctx, job: ApiJob, sinceMs: number | null, follow: boolean): Promise<void> {
  await ctx.note(ctx.style.dim(`== job ${job.id}: ${toPlain(renderJobWork(job))}`));
  if (follow && !isEnded(job.state)) {
    await stream(ctx, job.id, ctx.signal);
    return;
  }
  const view = createEventViewer();
  for await (const event of readEvents(await ctx.api(), job.id, 0)) {
    if (sinceMs !== null && Date.parse(event.at) < sinceMs) continue;
    if (ctx.json) await ctx.printJson(event, { line: true });
    else await show(ctx, view(event));
  }
}

/** Prints jobs as they come up, one after the other, as the lane runs them. Ends by ^C only. */
async function followNew(ctx: Ctx, lane: LaneRef, shown: Set<string>): Promise<number> {
  const api = await ctx.api();
  const { id } = await api.showLane(lane);
  const feed = followFeed(api, { after: undefined, signal: ctx.signal, clock: ctx.clock, ...awayHooks(ctx) });
  for (;;) {
    // Subscribed before looking, so that a job that comes and goes in between is told of afterwards.
    const news = nextOfLane(feed, id);
    // Awaited below, unless printing fails first; then its own failure is of no interest.
    news.catch(() => {});
    const fresh = (await api.listLaneJobs(lane, JOBS_MAX)).filter((job) => !shown.has(job.id)).toReversed();
    for (const job of fresh) {
      shown.add(job.id);
      await printJob(ctx, job, null, true);
    }
    await news;
  }
}

/** Resolves when the feed tells of a job of this lane, or that something was missed. */
async function nextOfLane(feed: AsyncGenerator<FeedMessage, never>, lane: string): Promise<void> {
  for (;;) {
    const { value } = await feed.next();
    if (value.kind === "gap" || (value.entry.lane === lane && value.entry.type.startsWith("job."))) return;
  }
}
