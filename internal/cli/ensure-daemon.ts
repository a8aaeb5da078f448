import { AppError, hasCode } from "../base/index.ts";
import type { ApiStatus } from "../protocol/index.ts";
import type { Ctx } from "./context.ts";
import { type DaemonEnd, type DaemonProcess, startDaemon } from "./daemon-process.ts";
import { shortBuild } from "./text.ts";

/** A daemon that answers, and whether this call started it. */
export interface EnsuredDaemon {
  readonly status: ApiStatus;
  /** `null` when a running one was joined. */
  readonly started: DaemonProcess | null;
}

/** The first start migrates the store and probes the engine. */
const START_BUDGET_MS = 60_000;
const POLL_MS = 50;
/** Exit code of a laned that found another one in its place (`daemon.already_running`). */
const EXIT_CONFLICT = 5;
const EXIT_USAGE = 2;
const LOG_LINES = 20;

/**
 * Joins the daemon of this installation, or starts one and waits until it is ready.
 * @throws daemon.other_build, daemon.unreachable with the last log lines when it does not come up, timeout
 */
export async function ensureDaemon(ctx: Ctx): Promise<EnsuredDaemon> {
  const running = await findDaemon(ctx);
  if (running !== null) return { status: sameBuild(ctx, running), started: null };
  const { logFile } = await ctx.deps.locate();
  ctx.progress.update("starting laned");
  const started = await startDaemon({ laned: ctx.deps.laned, logFile, env: ctx.io.env });
  const process: { end: DaemonEnd | null } = { end: null };
  void started.ended.then((end) => {
    process.end = end;
  });
  const startedMs = ctx.clock.monotonicMs();
  while (process.end === null) {
    const ready = (await isReady(ctx)) ? await statusOf(ctx) : null;
    // Another one that answers has won a race: ours is about to see that, and to end.
    if (ready?.pid === started.pid) return { status: ready, started };
    if (ctx.clock.monotonicMs() - startedMs > START_BUDGET_MS) throw await notReady(started, logFile);
    await ctx.clock.sleep(POLL_MS, { signal: ctx.signal });
  }
  return await joinRival(ctx, started, process.end, logFile);
}

/** Our process lost a race against another `lane up`, or could not start: the one who answers now decides. */
async function joinRival(ctx: Ctx, started: DaemonProcess, end: DaemonEnd, logFile: string): Promise<EnsuredDaemon> {
  const budgetMs = end.exitCode === EXIT_CONFLICT ? START_BUDGET_MS : 0;
  const endedMs = ctx.clock.monotonicMs();
  do {
    const rival = await findDaemon(ctx);
    if (rival !== null && (await isReady(ctx))) return { status: sameBuild(ctx, rival), started: null };
    await ctx.clock.sleep(POLL_MS, { signal: ctx.signal });
  } while (ctx.clock.monotonicMs() - endedMs < budgetMs);
  throw new AppError({
    code: end.exitCode === EXIT_USAGE ? "config.invalid" : "daemon.unreachable",
    message: `laned ended at once (${end.signal ?? `exit code ${end.exitCode}`})`,
    hint: `mend what its log says: ${logFile}`,
    details: { "last log lines": await started.readLog(LOG_LINES) },
  });
}

/** The status of the daemon that answers; `null` when none does. */
export async function findDaemon(ctx: Ctx): Promise<ApiStatus | null> {
  try {
    return await statusOf(ctx);
  } catch (caught) {
    if (hasCode(caught, "daemon.unreachable", "daemon.stopping")) return null;
    throw caught;
  }
}

/** @throws daemon.other_build when the daemon is not of our build */
export function sameBuild(ctx: Ctx, status: ApiStatus): ApiStatus {
  const ours = ctx.deps.build.build;
  if (status.build === ours) return status;
  throw new AppError({
    code: "daemon.other_build",
    message: `laned of another build is running (${shortBuild(status.build)}, pid ${status.pid}; this is ${shortBuild(ours)})`,
    hint: "lane down && lane up",
    details: { theirs: status.build, ours, pid: status.pid },
  });
}

async function statusOf(ctx: Ctx): Promise<ApiStatus> {
  return (await ctx.api()).status();
}

/** Ready, or as ready as it gets without an engine: then lanes are `unknown`, and `status` says why. */
async function isReady(ctx: Ctx): Promise<boolean> {
  try {
    const { ready, checks } = await (await ctx.api()).readyz({ timeoutMs: 5000 });
    if (ready) return true;
    const others = Object.entries(checks).filter(([name]) => name !== "engine");
    if (others.length === 0 || !others.every(([, good]) => good)) return false;
    return (await statusOf(ctx)).engine.error !== null;
  } catch (caught) {
    if (hasCode(caught, "daemon.unreachable", "daemon.stopping", "daemon.other_build", "timeout")) return false;
    throw caught;
  }
}

async function notReady(started: DaemonProcess, logFile: string): Promise<AppError> {
  return new AppError({
    code: "timeout",
    message: `laned (pid ${started.pid}) is not ready after ${START_BUDGET_MS / 1000} s`,
    hint: `see \`lane status\` and its log: ${logFile}`,
    details: { "last log lines": await started.readLog(LOG_LINES) },
  });
}
