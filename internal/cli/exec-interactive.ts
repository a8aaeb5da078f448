import { AppError } from "../base/index.ts";
import type { ApiExecPlan } from "../protocol/index.ts";
import type { Ctx } from "./context.ts";
import { exitCodeOfSignal } from "./outcome.ts";

/**
 * Runs the engine's CLI with our own terminal until it ends; resolves with its exit code. ^C reaches it by the
 * terminal, TERM is passed on. @throws engine.unavailable when the program cannot be started
 */
export async function execInteractive(ctx: Ctx, plan: ApiExecPlan): Promise<number> {
  const { execa } = await import("execa");
  const [file = "", ...args] = plan.argv;
  await ctx.progress.clear();
  const child = execa(file, args, {
    stdio: "inherit",
    env: { ...ctx.io.env, ...plan.env },
    extendEnv: false,
    reject: false,
    cleanup: false,
  });
  const release = ctx.takeSignals((signal) => {
    if (signal === "SIGTERM") child.kill(signal);
  });
  try {
    const { exitCode, signal, cause } = await child;
    if (exitCode !== undefined) return exitCode;
    if (signal !== undefined) return exitCodeOfSignal(signal);
    throw new AppError({
      code: "engine.unavailable",
      message: `cannot start ${file}`,
      hint: "see `lane doctor`",
      cause,
    });
  } finally {
    release();
  }
}
