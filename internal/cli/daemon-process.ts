import { spawn } from "node:child_process";
import { mkdir, open, readFile } from "node:fs/promises";
import path from "node:path";
import { AppError, errnoOf, toError } from "../base/index.ts";

/** A daemon process we started. It lives on when we end. */
export interface DaemonProcess {
  readonly pid: number;
  /** Settles when the process ends. */
  readonly ended: Promise<DaemonEnd>;
  /** What it has written to its log since we started it: the last `lines` lines. */
  readLog(lines: number): Promise<readonly string[]>;
}

/** How a daemon process ended. */
export interface DaemonEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** Read at most this much of the log's end. */
const LOG_TAIL_BYTES = 64 * 1024;

/**
 * Starts laned in a session of its own, so that neither ^C nor a closed terminal reaches it, its output going to
 * `logFile`. @throws host.tool_missing when the program is not there
 */
export async function startDaemon(opts: {
  readonly laned: string;
  readonly logFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Promise<DaemonProcess> {
  await mkdir(path.dirname(opts.logFile), { recursive: true, mode: 0o700 });
  const log = await open(opts.logFile, "a", 0o600);
  try {
    const from = (await log.stat()).size;
    // Working in `/` keeps no mount busy.
    const child = spawn(opts.laned, [], { cwd: "/", detached: true, stdio: ["ignore", log.fd, log.fd], env: opts.env });
    const ended = new Promise<DaemonEnd>((resolve) => {
      child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => reject(toMissing(error, opts.laned)));
    });
    child.unref();
    return { pid: child.pid ?? 0, ended, readLog: (lines) => readTail(opts.logFile, from, lines) };
  } finally {
    await log.close();
  }
}

/** Runs laned in the foreground, with our terminal, until it ends; resolves with its exit code. */
export async function runDaemonInForeground(opts: {
  readonly laned: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}): Promise<number> {
  const child = spawn(opts.laned, [], { stdio: "inherit", env: opts.env });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(toMissing(error, opts.laned)));
    child.once("exit", (exitCode, signal) => resolve(exitCode ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

/** Runs `laned doctor` and resolves with what it printed. @throws host.tool_missing */
export async function runDaemonProgram(
  opts: { readonly laned: string; readonly env: Readonly<Record<string, string | undefined>> },
  args: readonly string[],
  { signal }: { readonly signal: AbortSignal },
): Promise<{ readonly stdout: string; readonly stderr: string; readonly end: DaemonEnd }> {
  const child = spawn(opts.laned, [...args], { stdio: ["ignore", "pipe", "pipe"], env: opts.env, signal });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  const end = await new Promise<DaemonEnd>((resolve, reject) => {
    child.once("error", (error) => reject(signal.aborted ? toError(signal.reason) : toMissing(error, opts.laned)));
    child.once("close", (exitCode, ended) => resolve({ exitCode, signal: ended }));
  });
  return { stdout: Buffer.concat(stdout).toString("utf8"), stderr: Buffer.concat(stderr).toString("utf8"), end };
}

/** Does the process run? A dead one that nobody has reaped (pid 1 of some containers does not) counts as gone. */
export async function isProcessAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (caught) {
    // EPERM: it is there, and not ours.
    return errnoOf(caught) === "EPERM";
  }
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  // `pid (name) state …`; the name may hold anything, blanks and parentheses too.
  return stat === null || stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
}

async function readTail(file: string, from: number, lines: number): Promise<readonly string[]> {
  const log = await open(file, "r");
  try {
    const { size } = await log.stat();
    const start = Math.max(from, size - LOG_TAIL_BYTES);
    const buffer = Buffer.alloc(Math.max(0, size - start));
    await log.read(buffer, 0, buffer.length, start);
    return buffer
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .slice(-lines);
  } finally {
    await log.close();
  }
}

function toMissing(error: Error, laned: string): AppError {
  return new AppError({
    code: "host.tool_missing",
    message: `cannot start ${laned} (${errnoOf(error) ?? error.message})`,
    hint: "build it with `make build`",
    cause: error,
  });
}
