import type { Ctx } from "./context.ts";

/**
 * Asks a person before something that cannot be taken back. Nobody is asked without a terminal, with `--yes` or with
 * `--json`: what must not happen by accident is refused by the daemon, not by a question. Resolves with the decision.
 */
export async function confirm(
  ctx: Ctx,
  question: string,
  opts: { readonly yes?: boolean | undefined },
): Promise<boolean> {
  const { stdin, stderr } = ctx.io;
  if (opts.yes || ctx.json || !stdin.isTty || !stderr.isTty) return true;
  await ctx.progress.clear();
  await stderr.write(`${question} [y/N] `);
  const answer = (await stdin.readLine()).trim().toLowerCase();
  if (answer === "y" || answer === "yes") return true;
  await ctx.note("nothing was changed");
  return false;
}
