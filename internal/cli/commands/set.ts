import type { Command } from "commander";
import type { LaneRef } from "../api.ts";
import type { Ctx } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { mergeVariables, parseEnvName } from "../lane-settings.ts";
import { readSettings } from "../read-settings.ts";
import { collect, type DefineVerb } from "../verb.ts";

/** `set`. */
export function defineSet(program: Command, define: DefineVerb): void {
  define<WorkspaceOption & { readonly unset?: readonly string[] }>(program, {
    usage: "set <lane> [settings...]",
    summary:
      "change settings: image, agent, drift, limits.{memory,cpus,pids}, skills, ports, packages, env.NAME; empty: the default",
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
  else await ctx.print(`lane ${lane.name} is set${lane.drift.length === 0 ? "" : `; see \`lane drift ${lane.name}\``}`);
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
  const merged = mergeVariables(settings.env, env, gone);
  return merged === null ? {} : { env: merged };
}
