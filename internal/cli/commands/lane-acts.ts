import type { Command } from "commander";
import { parseDurationMs } from "../../base/index.ts";
import { bringUp, renderReadyLane, withStates } from "../bring-up.ts";
import { confirm } from "../confirm.ts";
import type { Ctx } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { requireStopped } from "../outcome.ts";
import { renderRemoved } from "../render-upkeep.ts";
import type { DefineVerb, OptionSpec } from "../verb.ts";
import { printPlan } from "./lanes.ts";

interface ActOptions extends WorkspaceOption {
  readonly wait?: number;
  readonly dryRun?: boolean;
}

interface UpOptions extends ActOptions {
  readonly now?: boolean;
  readonly yes?: boolean;
}

interface RemoveOptions extends WorkspaceOption {
  readonly force?: boolean;
  readonly deleteBranch?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

type UpAct = "start" | "restart" | "recreate";

const READY_WAIT_MS = 120_000;
/** The running job may end first, then its processes have their grace. */
const STOP_WAIT_MS = 600_000;
const EXIT_DECLINED = 1;
const NOW = ["--now", "interrupt the running job instead of waiting for its end"] as const;
const DRY_RUN = ["--dry-run", "print what would happen, change nothing"] as const;
const WAIT: OptionSpec = ["--wait <duration>", "wait this long for it to be ready; 0s: not at all", parseDurationMs];
const YES = ["-y, --yes", "do not ask"] as const;

/** `start`, `stop`, `restart`, `recreate`, `rm`. */
export function defineLaneActs(program: Command, define: DefineVerb): void {
  const ready = ["3  no such lane", "7  it was not ready in time", "125  the engine cannot run it"];
  define<ActOptions>(program, {
    usage: "start [lane]",
    summary: "start a stopped lane; another try for a failed one",
    options: [WORKSPACE_OPTION, WAIT, DRY_RUN],
    examples: ["lane start fix-login", "lane start fix-login --wait 0s"],
    exits: ready,
    run: (ctx, [named], opts) => actUp(ctx, named, opts, "start"),
  });
  define<ActOptions>(program, {
    usage: "stop [lane]",
    summary: "stop a lane's container and keep it",
    options: [
      WORKSPACE_OPTION,
      ["--wait <duration>", "wait this long for its end; 0s: not at all", parseDurationMs],
      DRY_RUN,
    ],
    examples: ["lane stop fix-login"],
    exits: ["3  no such lane", "7  it was not stopped in time"],
    run: stop,
  });
  define<UpOptions>(program, {
    usage: "restart [lane]",
    summary: "stop and start a lane",
    options: [WORKSPACE_OPTION, NOW, WAIT, DRY_RUN, YES],
    examples: ["lane restart fix-login", "lane restart fix-login --now --yes"],
    exits: ready,
    run: (ctx, [named], opts) => actUp(ctx, named, opts, "restart"),
  });
  define<UpOptions>(program, {
    usage: "recreate [lane]",
    summary: "give a lane a new container; its worktree and its volume stay",
    options: [WORKSPACE_OPTION, NOW, WAIT, DRY_RUN, YES],
    examples: ["lane recreate fix-login", "lane recreate fix-login --now --yes"],
    exits: ready,
    run: (ctx, [named], opts) => actUp(ctx, named, opts, "recreate"),
  });
  define<RemoveOptions>(program, {
    usage: "rm <lane>",
    summary: "remove a lane with its container, network, volume and worktree; refuses when work would be lost",
    options: [
      WORKSPACE_OPTION,
      ["-f, --force", "also when work would be lost; names what was"],
      ["--delete-branch", "the branch too, if its work is in the lane's base"],
      DRY_RUN,
      YES,
    ],
    examples: ["lane rm fix-login --dry-run", "lane rm fix-login --delete-branch", "lane rm fix-login --force"],
    exits: ["3  no such lane", "5  work would be lost: it is listed; the branch is not merged"],
    run: remove,
  });
}

async function actUp(ctx: Ctx, named: string | undefined, opts: UpOptions, act: UpAct): Promise<number> {
  if (opts.dryRun) {
    await printPlan(ctx, named, opts, act === "start" ? "ensure" : act);
    return 0;
  }
  const ref = await resolveLane(ctx, named, opts);
  if (opts.now) {
    const { name, job } = await (await ctx.api()).showLane(ref);
    if (job !== null && !(await confirm(ctx, `Interrupt job ${job} of lane ${name}?`, opts))) return EXIT_DECLINED;
  }
  const lane = await bringUp(ctx, ref, act, opts.wait ?? READY_WAIT_MS, { now: opts.now });
  if (ctx.json) await ctx.printJson(lane);
  else await ctx.print(renderReadyLane(lane));
  return 0;
}

async function stop(ctx: Ctx, [named]: readonly string[], opts: ActOptions): Promise<number> {
  if (opts.dryRun) {
    await printPlan(ctx, named, opts, "stop");
    return 0;
  }
  const api = await ctx.api();
  const ref = await resolveLane(ctx, named, opts);
  const waitMs = opts.wait ?? STOP_WAIT_MS;
  const lane = await withStates(ctx, ref, () => api.actOnLane(ref, "stop", { waitMs }));
  if (waitMs > 0) requireStopped(lane, waitMs);
  if (ctx.json) await ctx.printJson(lane);
  else await ctx.print(`lane ${lane.name} is ${lane.state}`);
  return 0;
}

async function remove(ctx: Ctx, [named]: readonly string[], opts: RemoveOptions): Promise<number> {
  if (opts.dryRun) {
    await printPlan(ctx, named, opts, "remove");
    return 0;
  }
  const api = await ctx.api();
  const lane = await api.showLane(await resolveLane(ctx, named, opts));
  const what = `Remove lane ${lane.name} with its container, its volume and ${lane.worktree}?`;
  if (!(await confirm(ctx, opts.force ? `${what} Unsaved work is lost.` : what, opts))) return EXIT_DECLINED;
  const ref = { ref: lane.id, workspace: undefined };
  const { force = false, deleteBranch } = opts;
  const removed = await withStates(ctx, ref, () => api.removeLane(ref, { force, deleteBranch }));
  if (ctx.json) await ctx.printJson(removed);
  else await ctx.print(...renderRemoved(removed));
  return 0;
}
