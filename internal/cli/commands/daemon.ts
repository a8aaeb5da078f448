import type { Command } from "commander";
import { AppError, hasCode } from "../../base/index.ts";
import type { ApiInboxPage } from "../../protocol/index.ts";
import type { Api } from "../api.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { isProcessAlive, runDaemonInForeground } from "../daemon-process.ts";
import { type EnsuredDaemon, ensureDaemon, findDaemon, sameBuild } from "../ensure-daemon.ts";
import { findUnwell, renderLeft, renderStatus } from "../render-status.ts";
import { shortBuild } from "../text.ts";
import type { DefineVerb } from "../verb.ts";
import { runDoctorVerb } from "./doctor.ts";

/** laned drains its links and closes its store; its own budget is shorter. */
const DOWN_BUDGET_MS = 30_000;
const POLL_MS = 50;

/** `up`, `down`, `status`, `doctor`. */
export function defineDaemonVerbs(program: Command, define: DefineVerb): void {
  define<{ readonly foreground?: boolean }>(program, {
    usage: "up",
    summary: "start laned, or find that it runs",
    options: [["--foreground", "run it here until ^C instead of in the background"]],
    examples: ["lane up", "lane up --foreground"],
    exits: ["5  laned of another build is running", "7  it was not ready in time"],
    run: (ctx, _args, opts) => (opts.foreground ? upInForeground(ctx) : up(ctx)),
  });
  define(program, {
    usage: "down",
    summary: "stop laned; lanes and their jobs go on without it",
    examples: ["lane down", "lane down && lane up    # after an update"],
    exits: ["7  it did not end in time"],
    run: down,
  });
  define(program, {
    usage: "status",
    summary: "the daemon, the engine, and why a lane is not simply fine",
    examples: ["lane status", "lane status --json | jq .engine", "lane status --json | jq .unwell"],
    run: status,
  });
  define<{ readonly fix?: boolean }>(program, {
    usage: "doctor",
    summary: "check this machine; works without laned and without Podman",
    options: [["--fix", "mend what can be mended without asking"]],
    examples: ["lane doctor", "lane doctor --fix", "lane doctor --json | jq '.checks[] | select(.level != \"ok\")'"],
    run: (ctx, _args, opts) => runDoctorVerb(ctx, opts),
  });
}

async function up(ctx: Ctx): Promise<number> {
  const daemon = await ensureDaemon(ctx);
  if (ctx.json) await ctx.printJson(daemon.status);
  else await ctx.print(...renderUp(daemon));
  return 0;
}

function renderUp({ status, started }: EnsuredDaemon): readonly string[] {
  const { engine } = status;
  const lines = [
    `laned ${started === null ? "already runs" : "is up"} (pid ${status.pid}, build ${shortBuild(status.build)})`,
  ];
  if (status.api !== null) lines.push(`page: ${status.api}`);
  if (!engine.ok && engine.error !== null) {
    lines.push(`without an engine: ${engine.error.message}`, `next: ${engine.error.hint ?? "lane doctor"}`);
  }
  return lines;
}

async function upInForeground(ctx: Ctx): Promise<number> {
  const running = await findDaemon(ctx);
  if (running !== null) {
    sameBuild(ctx, running);
    await ctx.print(`laned already runs (pid ${running.pid}, build ${shortBuild(running.build)})`);
    return 0;
  }
  // The terminal sends ^C to both of us: laned ends by it, and we end with laned.
  const release = ctx.takeSignals(() => {});
  try {
    return await runDaemonInForeground({ laned: ctx.deps.laned, env: ctx.io.env });
  } finally {
    release();
  }
}

async function down(ctx: Ctx): Promise<number> {
  const running = await findDaemon(ctx);
  if (running === null) {
    if (ctx.json) await ctx.printJson({ stopped: false, pid: null });
    else await ctx.print("laned is not running");
    return 0;
  }
  await stopDaemon(ctx);
  const lanes = Object.values(running.lanes).reduce((sum, count) => sum + count, 0);
  if (ctx.json) await ctx.printJson({ stopped: true, pid: running.pid });
  else await ctx.print(renderLeft(lanes));
  return 0;
}

/** Asks the daemon to end and waits until its process is gone. @throws timeout */
export async function stopDaemon(ctx: Ctx): Promise<void> {
  const { pid } = await (await ctx.api()).shutdown();
  ctx.progress.update("stopping laned");
  const askedMs = ctx.clock.monotonicMs();
  while (await isProcessAlive(pid)) {
    if (ctx.clock.monotonicMs() - askedMs > DOWN_BUDGET_MS) {
      throw new AppError({
        code: "timeout",
        message: `laned (pid ${pid}) has not ended after ${DOWN_BUDGET_MS / 1000} s`,
        hint: `see its log, or end it with \`kill ${pid}\``,
      });
    }
    await ctx.clock.sleep(POLL_MS, { signal: ctx.signal });
  }
}

/** As many open items as are looked through for those of each lane. */
const ITEMS_MAX = 500;

async function status(ctx: Ctx): Promise<number> {
  const api = await ctx.api();
  const [daemon, lanes, inbox] = await Promise.all([api.status(), api.listLanes(), openItems(api)]);
  const options = renderOptionsOf(ctx);
  const unwell = findUnwell(lanes, inbox, options);
  if (ctx.json) {
    const why = unwell.map(({ lane: { id, name, state }, reasons }) => ({ id, name, state, reasons }));
    await ctx.printJson({ ...daemon, openItems: inbox?.open ?? null, unwell: why });
    return 0;
  }
  await ctx.print(...renderStatus(daemon, unwell, inbox, options));
  if (daemon.build !== ctx.deps.build.build) {
    await ctx.note(`this lane is of another build (${shortBuild(ctx.deps.build.build)}): \`lane down && lane up\``);
  }
  return 0;
}

/** Null of a daemon of an earlier build, which has no inbox. */
async function openItems(api: Api): Promise<ApiInboxPage | null> {
  try {
    return await api.listInbox({ state: "open", limit: ITEMS_MAX });
  } catch (caught) {
    if (hasCode(caught, "request.not_found")) return null;
    throw caught;
  }
}
