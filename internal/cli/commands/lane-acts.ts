import type { Command } from "commander";
import { parseDurationMs } from "../../base/index.ts";
import type { LaneRef } from "../api.ts";
import { bringUp, renderReadyLane, withStates } from "../bring-up.ts";
import { confirm } from "../confirm.ts";
import type { Ctx } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { parseEnvName } from "../lane-settings.ts";
import { readSettings } from "../read-settings.ts";
import { collect, type DefineVerb, type OptionSpec } from "../verb.ts";
import { printPlan } from "./lanes.ts";

interface ActOptions extends WorkspaceOption {
  readonly wait?: number;
  readonly dryRun?: boolean;
}

const READY_WAIT_MS = 120_000;
const EXIT_DECLINED = 1;
const DRY_RUN = ["--dry-run", "print what would happen, change nothing"] as const;
const WAIT: OptionSpec = ["--wait <duration>", "wait this long for it to be ready; 0s: not at all", parseDurationMs];
const YES = ["-y, --yes", "do not ask"] as const;

/** `start`, `stop`, `restart`, `recreate`, `rm`, `set`. */
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
    options: [WORKSPACE_OPTION, DRY_RUN],
    examples: ["lane stop fix-login"],
    exits: ["3  no such lane"],
    run: stop,
  });
  define<ActOptions>(program, {
    usage: "restart [lane]",
    summary: "stop and start a lane",
    options: [WORKSPACE_OPTION, NOW, WAIT, DRY_RUN, YES],
    examples: ["lane restart fix-login", "lane restart fix-login --now --yes"],
    exits: ready,
    run: (ctx, [named], opts) => actUp(ctx, named, opts, "restart"),
  });
  define<ActOptions & { readonly now?: boolean; readonly yes?: boolean }>(program, {
    usage: "recreate [lane]",
    summary: "give a lane a new container; its worktree and its volume stay",
    options: [
      WORKSPACE_OPTION,
      ["--now", "interrupt the running job instead of waiting for its end"],
      WAIT,
      DRY_RUN,
      YES,
    ],
    examples: ["lane recreate fix-login", "lane recreate fix-login --now --yes"],
    exits: ready,
    run: recreate,
  });
  define<WorkspaceOption & { readonly force?: boolean; readonly yes?: boolean; readonly dryRun?: boolean }>(program, {
    usage: "rm <lane>",
    summary: "remove a lane with its container, network, volume and worktree; refuses when work would be lost",
    options: [WORKSPACE_OPTION, ["-f, --force", "also when work would be lost"], DRY_RUN, YES],
    examples: ["lane rm fix-login --dry-run", "lane rm fix-login", "lane rm fix-login --force"],
    exits: ["3  no such lane", "5  work would be lost: it is listed"],
    run: remove,
  });
  define<WorkspaceOption & { readonly unset?: readonly string[] }>(program, {
    usage: "set <lane> [settings...]",
    summary: "change settings: image, agent, drift, limits.{memory,cpus,pids}, env.NAME; empty: the default",
    options: [WORKSPACE_OPTION, ["--unset <env.NAME>", "take a variable away; may be repeated", collect]],
    examples: [
      "lane set fix-login limits.memory=4g limits.cpus=2",
      "lane set fix-login env.NODE_ENV=test drift=hold",
      "lane set fix-login image= --unset env.NODE_ENV",
    ],
    exits: ["3  no such lane"],
    run: set,
  });
}

async function actUp(ctx: Ctx, named: string | undefined, opts: ActOptions, act: "start" | "restart"): Promise<number> {
  if (opts.dryRun) {
    await printPlan(ctx, named, opts, act === "start" ? "ensure" : "restart");
    return 0;
  }
  return printUp(ctx, await resolveLane(ctx, named, opts), act, opts);
}

async function printUp(
  ctx: Ctx,
  ref: LaneRef,
  act: "start" | "restart" | "recreate",
  opts: ActOptions & { readonly now?: boolean },
): Promise<number> {
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
  const lane = await withStates(ctx, ref, () => api.actOnLane(ref, "stop", { timeoutMs: STOP_WAIT_MS }));
  if (ctx.json) await ctx.printJson(lane);
  else await ctx.print(`lane ${lane.name} is ${lane.state}`);
  return 0;
}

async function recreate(
  ctx: Ctx,
  [named]: readonly string[],
  opts: ActOptions & { readonly now?: boolean; readonly yes?: boolean },
): Promise<number> {
  if (opts.dryRun) {
    await printPlan(ctx, named, opts, "recreate");
    return 0;
  }
  const ref = await resolveLane(ctx, named, opts);
  if (opts.now) {
    const { name, job } = await (await ctx.api()).showLane(ref);
    if (job !== null && !(await confirm(ctx, `Interrupt job ${job} of lane ${name}?`, opts))) return EXIT_DECLINED;
  }
  return printUp(ctx, ref, "recreate", opts);
}

async function remove(
  ctx: Ctx,
  [named]: readonly string[],
  opts: WorkspaceOption & { readonly force?: boolean; readonly yes?: boolean; readonly dryRun?: boolean },
): Promise<number> {
  if (opts.dryRun) {
    await printPlan(ctx, named, opts, "remove");
    return 0;
  }
  const api = await ctx.api();
  const lane = await api.showLane(await resolveLane(ctx, named, opts));
  const what = `Remove lane ${lane.name} with its container, its volume and ${lane.worktree}?`;
  if (!(await confirm(ctx, opts.force ? `${what} Unsaved work is lost.` : what, opts))) return EXIT_DECLINED;
  const ref = { ref: lane.id, workspace: undefined };
  await withStates(ctx, ref, () => api.removeLane(ref, { force: opts.force === true }));
  if (ctx.json) await ctx.printJson({ id: lane.id, name: lane.name, removed: true });
  else await ctx.print(`lane ${lane.name} is removed`);
  return 0;
}

async function set(
  ctx: Ctx,
  args: readonly string[],
  opts: WorkspaceOption & { readonly unset?: readonly string[] },
): Promise<number> {
  // `lane set key=value` in a lane's worktree: no lane's name holds a `=`.
  const named = args[0]?.includes("=") ? undefined : args[0];
  const { settings, env } = await readSettings(named === undefined ? args : args.slice(1));
  const gone = (opts.unset ?? []).map((name) => parseEnvName(name.replace(/^env\./, "")));
  const api = await ctx.api();
  const ref = await resolveLane(ctx, named, opts);
  const change = { ...settings, ...(await mergeEnv(ctx, ref, env, gone)) };
  const lane =
    Object.keys(change).length === 0 ? await api.showLane(ref) : await api.patchLane(ref, { settings: change });
  if (ctx.json) await ctx.printJson(lane);
  else
    await ctx.print(
      lane.drift.length === 0
        ? `lane ${lane.name} is set`
        : `lane ${lane.name} is set; see \`lane drift ${lane.name}\``,
    );
  return 0;
}

/** The lane's variables after the change, as a whole: that is how the daemon takes them. */
async function mergeEnv(
  ctx: Ctx,
  ref: LaneRef,
  env: Readonly<Record<string, string>>,
  gone: readonly string[],
): Promise<{ readonly env?: Record<string, string> }> {
  if (Object.keys(env).length === 0 && gone.length === 0) return {};
  const { settings } = await (await ctx.api()).showLane(ref);
  const merged = { ...toVariables(settings.env), ...env };
  return { env: Object.fromEntries(Object.entries(merged).filter(([name]) => !gone.includes(name))) };
}

function toVariables(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string"));
}
