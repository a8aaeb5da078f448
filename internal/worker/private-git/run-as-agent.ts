import { type ChildProcess, spawn } from "node:child_process";
import type { ProcessIdentity } from "../identity.ts";
import { toIdentityArgv } from "../identity.ts";

/** A program to run as the agent's user. Whoever runs as the same user can stop it: after `timeoutMs` it is killed. */
export interface AgentProgram {
  readonly identity: ProcessIdentity;
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Takes its output; when it returns false, that was too much, and the program is killed. */
  readonly onOutput?: ((bytes: Buffer) => boolean) | undefined;
}

/** How it ended; all texts are the agent's word. */
export interface AgentProgramEnd {
  /** Null: killed, or not started. */
  readonly code: number | null;
  /** Its output, unless somebody else took it. */
  readonly stdout: string;
  /** The end of its stderr, or why it was killed or not started. */
  readonly reason: string;
}

const STDOUT_MAX_BYTES = 64 * 1024;
const STDERR_TAIL = 500;

/** Runs a program in a process group of its own, and resolves when it has ended and its output is read. Never rejects. */
export function runAsAgent(program: AgentProgram): Promise<AgentProgramEnd> {
  const [file = "", ...args] = [...toIdentityArgv(program.identity), ...program.argv];
  return new Promise((resolve) => {
    // The folder is entered by the program itself, as the agent: the worker may be unable to.
    const child: ChildProcess = spawn(file, args, {
      cwd: "/",
      env: program.env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const parts: Buffer[] = [];
    let size = 0;
    let stderr = "";
    let isOver = false;
    const finish = (code: number | null, reason: string) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      resolve({ code, stdout: Buffer.concat(parts).toString("utf8"), reason: reason.trim().slice(-STDERR_TAIL) });
    };
    const kill = (reason: string) => {
      if (child.pid !== undefined) tryKill(-child.pid);
      // Should something else hold its output open, nobody waits for it.
      child.stdout?.destroy();
      child.stderr?.destroy();
      finish(null, reason);
    };
    const timer = setTimeout(() => kill(`not done after ${program.timeoutMs} ms`), program.timeoutMs);
    const take = (bytes: Buffer) => {
      size += bytes.length;
      if (program.onOutput) return program.onOutput(bytes);
      parts.push(bytes);
      return size <= STDOUT_MAX_BYTES;
    };
    for (const stream of [child.stdout, child.stderr]) stream?.on("error", () => {});
    child.stdout?.on("data", (bytes: Buffer) => {
      if (!isOver && !take(bytes)) kill("its output is too long");
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-STDERR_TAIL);
    });
    child.once("error", (error) => finish(null, error.message));
    child.once("close", (code, signal) => finish(code, code === 0 ? "" : stderr || `ended with ${signal ?? code}`));
  });
}

/** A whole group: git's own children must not outlive it. Of another user: the worker has the capability. */
function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
