import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { execa } from "execa";
import { AppError, errnoOf, renderDuration, throwIfAborted, withDeadline } from "../base/index.ts";
import { filtersOff, LIST_CONFIG } from "./filters.ts";
import { type GitEnv, hardenedArgs, hardenedEnv } from "./hardening.ts";
import { foreignOwner } from "./repository-owner.ts";

/** One call of git on the host. */
export interface GitCall {
  /** Absolute. Leave it out only to find a repository: git then refuses another user's and any bare one. */
  readonly gitDir?: string | undefined;
  /** Absolute. With it, files are read or written: every filter is switched off, at the cost of one more process. */
  readonly workTree?: string | undefined;
  /** Absolute folder the call runs in. */
  readonly cwd: string;
  /** Subcommand first; caller's texts only behind `--` or inside `--option=`. Never a shell. */
  readonly args: readonly string[];
  /** What git reads; closed at once when left out. */
  readonly stdin?: Readable | string | Uint8Array | undefined;
  /** Absolute path of another index than the git dir's own. */
  readonly indexFile?: string | undefined;
  /** More settings, which beat any file, but not the hardening. */
  readonly config?: Config | undefined;
  /** What {@link GitCall.workTree} would have asked for, of this very git dir a moment ago: saves a process. */
  readonly filters?: Config | undefined;
  /** Paths and contents need not be UTF-8: each character of stdout is then one byte. */
  readonly bytes?: true | undefined;
  /** Nobody reads what it prints. */
  readonly discard?: true | undefined;
  /** Output beyond so many characters is cut off instead of being a failure. */
  readonly cutAt?: number | undefined;
  /** Absolute folder of objects on probation: new ones go there, and it is read before the repository's own. */
  readonly quarantine?: { readonly dir: string; readonly objects: string } | undefined;
  /** Transports this call may use; none when left out. */
  readonly protocols?: readonly string[] | undefined;
  /** Reaches a remote as its user would: with their ssh keys, credential helpers and proxies. Never asks for anything. */
  readonly asPerson?: boolean | undefined;
  /** With `asPerson`: settings of `credential.*` in force instead of all those that the repository can name too. */
  readonly credentials?: Config | undefined;
  /** Takes what git says on stderr while it runs, progress for instance. */
  readonly onStderr?: ((text: string) => void) | undefined;
  /** Exit codes that are an answer, not a failure. Default 0 only. */
  readonly okExits?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default {@link GIT_TIMEOUT_MS}. */
  readonly timeoutMs?: number | undefined;
}

/** What git answered; texts without their last newline. */
export interface GitResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** There was more than {@link GitCall.cutAt}. */
  readonly cut: boolean;
}

/**
 * Runs git on the host, hardened; as root on somebody else's repository it runs as its owner.
 * @throws git.failed (other exit code; `details` has argv and stderr), git.missing, timeout, cancelled
 */
export type HardenedGit = (call: GitCall) => Promise<GitResult>;

/** Long enough for a cold disk; a lane can make git wait for ever (a FIFO named .gitignore). */
export const GIT_TIMEOUT_MS = 30_000;

/** More output than this is an attack or a mistake. */
const OUTPUT_MAX_BYTES = 32 * 1024 * 1024;

/** TERM to KILL: git removes its lock files on TERM. */
const KILL_AFTER_MS = 2000;

/** Makes the one wrapper through which every host call of git goes. */
export function hardenedGit(env: GitEnv): HardenedGit {
  return async (call) => {
    throwIfAborted(call.signal);
    checkCall(call);
    if (call.workTree === undefined || call.filters !== undefined) return run(env, call, call.filters ?? []);
    const { gitDir, cwd, signal } = call;
    const listed = await run(env, { gitDir, cwd, signal, args: LIST_CONFIG }, []);
    return run(env, call, filtersOff(listed.stdout));
  };
}

/** Settings by name. */
export type Config = readonly (readonly [name: string, value: string])[];

async function run(env: GitEnv, call: GitCall, config: Config): Promise<GitResult> {
  const ms = call.timeoutMs ?? GIT_TIMEOUT_MS;
  const what = `git ${call.args[0]}`;
  const makeError = () =>
    new AppError({
      code: "timeout",
      message: `${what} took longer than ${renderDuration(ms)} in ${call.workTree ?? call.cwd}`,
      hint: "look for a slow disk, or for pipes and devices among the work tree's files",
      retry: "retryable",
    });
  const owner = await foreignOwner(call.gitDir ?? call.cwd);
  const mine = owner === null ? env : { ...env, HOME: owner.home, XDG_CONFIG_HOME: undefined };
  const { protocols = [], quarantine, asPerson, indexFile } = call;
  const result = await withDeadline({ ms, signal: call.signal, makeError }, async (signal) => {
    const running = execa("git", [...hardenedArgs(call)], {
      cwd: call.cwd,
      env: hardenedEnv(mine, {
        protocols,
        config: [...config, ...(call.config ?? [])],
        quarantine,
        asPerson,
        indexFile,
      }),
      ...(owner === null ? {} : { uid: owner.uid, gid: owner.gid }),
      extendEnv: false,
      preferLocal: false,
      ...(call.stdin === undefined ? { stdin: "ignore" as const } : { input: call.stdin }),
      maxBuffer: { stdout: call.cutAt ?? OUTPUT_MAX_BYTES, stderr: OUTPUT_MAX_BYTES },
      ...(call.discard ? { stdout: "ignore" as const } : {}),
      ...(call.bytes ? { encoding: "latin1" as const } : {}),
      cancelSignal: signal,
      // Helpers that wait for a remote outlive git, and keep its output open: they are ended as a group.
      detached: asPerson === true,
      forceKillAfterDelay: KILL_AFTER_MS,
      reject: false,
    });
    if (asPerson) signal.addEventListener("abort", () => endGroup(running.pid), { once: true });
    if (call.onStderr) running.stderr.setEncoding("utf8").on("data", call.onStderr);
    const done = await running;
    // Lets withDeadline tell our deadline from the caller's cancel.
    throwIfAborted(signal);
    return done;
  });
  const { stdout = "", stderr } = result;
  const cut = result.isMaxBuffer && call.cutAt !== undefined && stdout.length >= call.cutAt;
  if (cut) return { exitCode: 0, stdout, stderr, cut };
  if (result.exitCode === undefined) throw await notRun(call, what, result);
  if ((call.okExits ?? [0]).includes(result.exitCode) && !result.isMaxBuffer) {
    return { exitCode: result.exitCode, stdout, stderr, cut };
  }
  throw failed(what, call, result.exitCode, result.isMaxBuffer ? "printed too much" : result.stderr);
}

/** Asks git and all that it has started to end. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // Gone already.
  }
}

/** A call that must never be made, whatever the caller's texts are: a defect, or a NUL in somebody's text. */
function checkCall(call: GitCall): void {
  const command = call.args[0] ?? "";
  if (!/^[a-z][a-z-]*$/.test(command)) {
    throw new AppError({ code: "internal.bug", message: `not a git subcommand: ${JSON.stringify(command)}` });
  }
  if ([...call.args, call.cwd, call.gitDir ?? "", call.workTree ?? ""].some((text) => text.includes("\0"))) {
    throw new AppError({ code: "usage.invalid", message: `a NUL byte cannot be part of a path, branch or ref` });
  }
}

async function notRun(
  call: GitCall,
  what: string,
  result: { readonly isMaxBuffer: boolean; readonly signal?: string | undefined; readonly cause?: unknown },
): Promise<AppError> {
  if (errnoOf(result.cause) === "ENOENT") {
    const folder = await stat(call.cwd).catch(() => null);
    if (folder?.isDirectory()) {
      return new AppError({
        code: "git.missing",
        message: "there is no git program on PATH",
        hint: "install git, for example: apt-get install git",
        cause: result.cause,
      });
    }
    return failed(what, call, null, `no such folder: ${call.cwd}`);
  }
  if (result.isMaxBuffer) return failed(what, call, null, "printed too much");
  return failed(
    what,
    call,
    null,
    result.signal === undefined ? `could not run: ${errnoOf(result.cause) ?? "unknown"}` : `ended by ${result.signal}`,
  );
}

function failed(what: string, call: GitCall, exitCode: number | null, text: string): AppError {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const first = lines.find((line) => /^(fatal|error):/.test(line)) ?? lines[0] ?? `exit code ${exitCode}`;
  return new AppError({
    code: "git.failed",
    message: `${what} failed in ${call.workTree ?? call.cwd}: ${first.replace(/^(fatal|error): /, "").slice(0, 300)}`,
    details: { args: call.args, gitDir: call.gitDir ?? null, exitCode, stderr: text.slice(-4096) },
  });
}
