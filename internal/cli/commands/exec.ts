import type { Command } from "commander";
import { AppError } from "../../base/index.ts";
import { LOGIN_SHELL } from "../../lane/index.ts";
import type { Ctx } from "../context.ts";
import { execInteractive } from "../exec-interactive.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import type { DefineVerb } from "../verb.ts";

const EXITS = [
  "3  no such lane",
  "125  the engine could not run it",
  "126, 127  it cannot be executed; it was not found",
  "else  its own exit code",
];

/** `exec`, `shell`. */
export function defineExecVerbs(program: Command, define: DefineVerb): void {
  define<WorkspaceOption>(program, {
    usage: "exec [lane]",
    summary: "run a command (after --) in a lane's container with this terminal; not a job, not recorded",
    options: [WORKSPACE_OPTION],
    examples: ["lane exec fix-login -- git status", "lane exec fix-login -- vi README.md"],
    exits: EXITS,
    run: async (ctx, [named], opts) => {
      if (ctx.passthrough === null || ctx.passthrough.length === 0) {
        throw new AppError({
          code: "usage.invalid",
          message: "no command after --",
          hint: "lane exec <lane> -- CMD [ARG…]",
        });
      }
      return exec(ctx, named, opts, ctx.passthrough);
    },
  });
  define<WorkspaceOption>(program, {
    usage: "shell [lane]",
    summary: "a shell in a lane's container",
    options: [WORKSPACE_OPTION],
    examples: ["lane shell fix-login"],
    exits: EXITS,
    run: (ctx, [named], opts) => exec(ctx, named, opts, LOGIN_SHELL),
  });
}

async function exec(
  ctx: Ctx,
  named: string | undefined,
  opts: WorkspaceOption,
  argv: readonly string[],
): Promise<number> {
  const lane = await resolveLane(ctx, named, opts);
  const plan = await (await ctx.api()).planExec(lane, { tty: ctx.io.stdin.isTty, argv });
  return execInteractive(ctx, plan);
}
