import type { Command } from "commander";
import type { Ctx } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import type { DefineVerb } from "../verb.ts";

interface SetupOptions extends WorkspaceOption {
  readonly skip?: boolean;
}

/** `setup`. */
export function defineSetup(program: Command, define: DefineVerb): void {
  define<SetupOptions>(program, {
    usage: "setup [lane]",
    summary: "run the lane's setup commands again; its jobs wait until they have succeeded",
    options: [["--skip", "go on without them in this container"], WORKSPACE_OPTION],
    examples: ["lane setup fix-login", "lane setup fix-login --skip"],
    exits: ["3  no such lane"],
    run: setup,
  });
}

async function setup(ctx: Ctx, [named]: readonly string[], opts: SetupOptions): Promise<number> {
  const ref = await resolveLane(ctx, named, opts);
  const lane = await (await ctx.api()).setUpLane(ref, opts.skip ? { skip: true } : {});
  const { state = "none", job = null } = lane.setup ?? {};
  if (ctx.json) await ctx.printJson(lane);
  else if (state === "skipped") await ctx.print(`lane ${lane.name} goes on without its setup`);
  else await ctx.print(`lane ${lane.name} is being set up by job ${job ?? "?"}; follow it: lane job events ${job} -f`);
  return 0;
}
