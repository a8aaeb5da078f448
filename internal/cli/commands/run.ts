import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { AppError, newId, parseDurationMs, toError } from "../../base/index.ts";
import type { SubmitJob } from "../../protocol/index.ts";
import { attach, awayHooks } from "../attach.ts";
import type { Ctx } from "../context.ts";
import { throughRestarts } from "../follow-job.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import type { DefineVerb } from "../verb.ts";

interface RunOptions extends WorkspaceOption {
  readonly agent?: string;
  readonly session?: string;
  readonly file?: string;
  readonly key?: string;
  readonly deadline?: number;
  readonly priority?: number;
  readonly retry?: "never" | "on_lost";
  readonly detach?: boolean;
}

const PRIORITY_LIMIT = 100;

/** `run`. */
export function defineRun(program: Command, define: DefineVerb): void {
  define<RunOptions>(program, {
    usage: "run [lane] [prompt]",
    summary: "run a command (after --) or a prompt in a lane and stream its output; ^C cancels it",
    options: [
      WORKSPACE_OPTION,
      ["--agent <name>", "the agent a prompt goes to"],
      ["--session <which>", "new, continue, or an agent's session id"],
      ["--file <path>", "read the prompt from a file"],
      ["--key <key>", "submit at most once under this key: the same key gives the first job again"],
      ["--deadline <duration>", "stop the job after this long", parseDurationMs],
      ["--priority <n>", "higher first, -100 to 100", parsePriority],
      ["--retry <when>", "never, or on-lost: run it again by itself when its outcome cannot be known", parseRetry],
      ["-d, --detach", "print the job's id and leave it running"],
    ],
    examples: [
      "lane run fix-login -- npm test",
      "lane run -- make check                      # in the lane of the current folder",
      "lane run fix-login --deadline 10m --detach -- npm run soak",
      "lane run fix-login --key nightly-42 -- ./nightly.sh",
      'lane run fix-login "Make the login form accept long names"',
      "lane run fix-login - < task.md",
    ],
    exits: [
      "3  no such lane",
      "4  the agent has no login",
      "5  the key was used for another job",
      "8  its agent has asked something and waits for the answer",
      "124  the deadline ended the job",
      "130  cancelled (143 by TERM)",
      "else  a command's own exit code; 128+n when signal n ended it",
    ],
    run,
  });
}

async function run(ctx: Ctx, args: readonly string[], opts: RunOptions): Promise<number> {
  const work = await readWork(ctx, args, opts);
  const lane = await resolveLane(ctx, args[0], opts);
  const body: SubmitJob = {
    ...work,
    // A key of our own makes it safe to submit again when the connection breaks before the answer.
    key: opts.key ?? `run-${newId(ctx.clock.nowMs())}`,
    ...(opts.deadline === undefined ? {} : { deadlineMs: opts.deadline }),
    ...(opts.priority === undefined ? {} : { priority: opts.priority }),
    ...(opts.retry === undefined ? {} : { retry: opts.retry }),
  };
  const api = await ctx.api();
  const submit = () =>
    throughRestarts({ signal: ctx.signal, clock: ctx.clock, ...awayHooks(ctx), wasThere: false }, () =>
      api.submitJob(lane, body),
    );
  if (!opts.detach) return attach(ctx, submit);
  const job = await submit();
  if (ctx.json) await ctx.printJson(job);
  else await ctx.print(job.id);
  return 0;
}

type Work =
  | { readonly kind: "command"; argv: string[] }
  | { readonly kind: "prompt"; readonly prompt: string; readonly agent?: string; readonly session?: string };

async function readWork(ctx: Ctx, args: readonly string[], opts: RunOptions): Promise<Work> {
  const { passthrough } = ctx;
  if (passthrough !== null) {
    if (passthrough.length === 0) throw usage("no command after --", "lane run <lane> -- CMD [ARG…]");
    const extra =
      args[1] !== undefined || opts.file !== undefined || opts.agent !== undefined || opts.session !== undefined;
    if (extra) throw usage("a command takes no prompt, agent or session", "give either a prompt or -- CMD");
    return { kind: "command", argv: [...passthrough] };
  }
  const prompt = await readPrompt(ctx, args[1], opts.file);
  if (prompt.trim() === "") throw usage("the prompt is empty", 'lane run <lane> "what to do", or -- CMD for a command');
  return {
    kind: "prompt",
    prompt,
    ...(opts.agent === undefined ? {} : { agent: opts.agent }),
    ...(opts.session === undefined ? {} : { session: opts.session }),
  };
}

async function readPrompt(ctx: Ctx, given: string | undefined, file: string | undefined): Promise<string> {
  if (given !== undefined && file !== undefined) throw usage("both a prompt and --file", "give one of them");
  if (given === "-") return ctx.io.stdin.readAll();
  if (given !== undefined) return given;
  if (file === undefined)
    throw usage("nothing to run", 'lane run <lane> -- CMD [ARG…], or lane run <lane> "what to do"');
  try {
    return await readFile(path.resolve(ctx.io.cwd, file), "utf8");
  } catch (caught) {
    throw usage(`cannot read ${file}: ${toError(caught).message}`, "name a file that can be read");
  }
}

function parsePriority(text: string): number {
  const priority = Number(text);
  if (Number.isInteger(priority) && Math.abs(priority) <= PRIORITY_LIMIT && text.trim() !== "") return priority;
  throw usage(
    `not a priority: ${JSON.stringify(text)}`,
    `write a whole number from -${PRIORITY_LIMIT} to ${PRIORITY_LIMIT}`,
  );
}

function parseRetry(text: string): "never" | "on_lost" {
  if (text === "never") return "never";
  if (text === "on-lost" || text === "on_lost") return "on_lost";
  throw usage(`not a retry policy: ${JSON.stringify(text)}`, "use never or on-lost");
}

function usage(message: string, hint: string): AppError {
  return new AppError({ code: "usage.invalid", message, hint });
}
