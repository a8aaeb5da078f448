import { type Command, CommanderError } from "commander";
import { AppError, errnoOf, toAppError } from "../base/index.ts";
import { type CliDeps, loadProtocol } from "./context.ts";
import { createProgram } from "./program.ts";
import { renderError } from "./render-error.ts";
import { splitArgs } from "./split-args.ts";
import { createStyle, wantsColor } from "./style.ts";

const EXIT_USAGE = 2;
const EXIT_PIPE = 141;
const EXIT_TERMINATED = 143;

/**
 * Runs one command line to its end. Resolves with the exit code, never rejects: errors are printed, as text or, with
 * `--json`, as a problem object on stderr.
 */
export async function runCli(deps: CliDeps): Promise<number> {
  const { io } = deps;
  const { own, passthrough } = splitArgs(io.argv);
  let exitCode = 0;
  const written: Promise<void>[] = [];
  const program = createProgram(deps, passthrough, (code) => {
    exitCode = code;
  });
  forEachCommand(program, (command) =>
    command.exitOverride().configureOutput({
      writeOut: (text) => written.push(io.stdout.write(text)),
      writeErr: (text) => written.push(io.stderr.write(text)),
      // With --json the complaint is printed as a problem, below.
      ...(hasFlag(own, "--json") ? { outputError: () => {} } : {}),
      getOutHelpWidth: () => io.stdout.columns ?? 80,
      getErrHelpWidth: () => io.stderr.columns ?? 80,
    }),
  );
  try {
    if (own.length === 0) program.outputHelp();
    else await program.parseAsync([...own], { from: "user" });
    return exitCode;
  } catch (caught) {
    if (caught instanceof CommanderError) {
      if (caught.exitCode === 0) return 0;
      // Commander has printed its complaint already, or the help of a verb that only holds verbs.
      if (!hasFlag(own, "--json") || caught.code === "commander.help") return EXIT_USAGE;
      return await reportError(deps, own, toUsageError(caught));
    }
    // The reader of a pipe has gone: nobody is left to tell.
    if (errnoOf(caught) === "EPIPE") return EXIT_PIPE;
    return await reportError(deps, own, toAppError(caught));
  } finally {
    // A help text nobody reads on is no error.
    await Promise.allSettled(written);
  }
}

/** Prints an error and resolves with its exit code. */
async function reportError({ io }: CliDeps, own: readonly string[], error: AppError): Promise<number> {
  const { exitCodeOf, toProblem } = await loadProtocol();
  if (hasFlag(own, "--json")) {
    await io.stderr.write(`${JSON.stringify(toProblem(error, "cli"))}\n`);
  } else {
    const choice = hasFlag(own, "--no-color") ? "never" : "auto";
    const style = createStyle(wantsColor({ choice, env: io.env, isTty: io.stderr.isTty }));
    await io.stderr.write(`${renderError(error, { style, verbose: hasFlag(own, "--verbose") }).join("\n")}\n`);
  }
  return error.code === "cancelled" && error.details.signal === "SIGTERM" ? EXIT_TERMINATED : exitCodeOf(error.code);
}

function toUsageError(error: CommanderError): AppError {
  return new AppError({
    code: "usage.invalid",
    message: error.message.replace(/^error: /, "").replaceAll("\n", " "),
    hint: "see `lane help`",
  });
}

/** Errors can come before commander has read the options. */
function hasFlag(own: readonly string[], flag: string): boolean {
  return own.includes(flag);
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}
