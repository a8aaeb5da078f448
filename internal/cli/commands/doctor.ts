import { AppError } from "../../base/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { runDaemonProgram } from "../daemon-process.ts";
import { type DoctorAnswer, parseDoctorAnswer, renderDoctor } from "../render-doctor.ts";

/** Runs `laned doctor` and renders what it found: the checks need packages that the CLI does not have. */
export async function runDoctorVerb(ctx: Ctx, opts: { readonly fix?: boolean }): Promise<number> {
  ctx.progress.update("looking at this machine");
  const args = ["doctor", "--json", ...(opts.fix ? ["--fix"] : [])];
  const { stdout, stderr, end } = await runDaemonProgram({ laned: ctx.deps.laned, env: ctx.io.env }, args, ctx);
  const answer = parseDoctorAnswer(stdout);
  if (answer === null) throw noAnswer(end.signal ?? `exit code ${end.exitCode}`, stderr);
  if (ctx.json) await ctx.printJson(answer);
  else await ctx.print(...renderDoctor(answer, renderOptionsOf(ctx)));
  return exitCodeOf(answer);
}

function exitCodeOf({ ok }: DoctorAnswer): number {
  return ok ? 0 : 1;
}

function noAnswer(how: string, stderr: string): AppError {
  return new AppError({
    code: "internal.bug",
    message: `laned doctor ended without an answer (${how})`,
    hint: "mend what it says, or build again with `make build`",
    details: {
      stderr: stderr
        .split("\n")
        .filter((line) => line !== "")
        .slice(-10),
    },
  });
}
