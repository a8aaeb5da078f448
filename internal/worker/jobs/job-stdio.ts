import type { ChildProcess, StdioOptions } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, constants, openSync, unlinkSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { PipePool } from "./pipe-pool.ts";

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** The worker's ends of a job's output streams. */
export interface JobOutput {
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** The standard streams of a process that is about to be started. */
export interface JobStdio {
  /** For `spawn`: descriptors 0 to 2. */
  readonly forChild: readonly [StdioEntry, StdioEntry, StdioEntry];
  /** Hands over our ends, and closes here what is the process's; with null (it could not be started) everything. */
  attach(child: ChildProcess | null): JobOutput | null;
}

type StdioEntry = Exclude<StdioOptions, string>[number];

/**
 * Output over named pipes, or over Node's sockets when there are none; input as a file without a name. All three can
 * be opened again as `/dev/stdin`, `/dev/stdout`, `/dev/stderr`, also by another user than the worker's.
 */
export function openJobStdio(pool: PipePool, stdinText: string | null): JobStdio {
  const stdin = stdinText === null ? null : openInput(pool.dir, stdinText);
  const [out, err] = pool.take(2) ?? [];
  const pipes = out === undefined || err === undefined ? null : { stdout: openPipe(out), stderr: openPipe(err) };
  const theirs = [stdin, pipes?.stdout.theirs ?? null, pipes?.stderr.theirs ?? null];
  const ours = [pipes?.stdout.ours ?? null, pipes?.stderr.ours ?? null];
  return {
    forChild: [stdin ?? "ignore", pipes?.stdout.theirs ?? "pipe", pipes?.stderr.theirs ?? "pipe"],
    attach: (child) => {
      closeAll(theirs);
      if (child === null) {
        closeAll(ours);
        return null;
      }
      if (pipes !== null) return { stdout: toReadable(pipes.stdout.ours), stderr: toReadable(pipes.stderr.ours) };
      return child.stdout && child.stderr ? { stdout: child.stdout, stderr: child.stderr } : null;
    },
  };
}

/** Ours does not block; theirs does, as programs expect. Opening theirs does not wait, because ours is open. */
function openPipe(path: string): { readonly ours: number; readonly theirs: number } {
  const ours = openSync(path, O_RDONLY | O_NONBLOCK);
  const theirs = openSync(path, O_WRONLY);
  unlinkSync(path);
  return { ours, theirs };
}

/** A file, because a pipe whose writer is done cannot be opened again. The mode is for doing just that. */
function openInput(dir: string, text: string): number {
  const path = join(dir, randomUUID());
  writeFileSync(path, text, { mode: 0o444, flag: "wx" });
  const fd = openSync(path, O_RDONLY);
  unlinkSync(path);
  return fd;
}

function toReadable(fd: number): Readable {
  return new Socket({ fd, readable: true, writable: false });
}

function closeAll(fds: readonly (number | null)[]): void {
  for (const fd of fds) if (fd !== null) closeSync(fd);
}
