import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { WorkerLog } from "../log.ts";

/** How many pipes are made at once, and below how many more are made: a refill costs a process. */
const FULL = 48;
const LOW = 12;
/** A job's stdout and stderr. */
const PER_JOB = 2;

/**
 * Named pipes for the output of jobs. Node's own are sockets, and opening `/dev/stderr` on a socket fails; on an
 * unnamed pipe it fails for a process that has changed its user. Each pipe serves one stream of one job and is
 * unlinked once it is open.
 */
export interface PipePool {
  /** The folder, for other nameless things; no other user can enter its parent. */
  readonly dir: string;
  /** Paths of `count` unused pipes, or null when there are too few: then sockets have to do. */
  take(count: number): readonly string[] | null;
  /** Makes pipes in the background when there are few. */
  refill(): void;
  /** Null when a job's pipes are there; else resolves once they are, or cannot be made. */
  wait(): Promise<void> | null;
}

/** A pool in `dir`, which is emptied; no other user can enter its parent. */
export function createPipePool(dir: string, log: WorkerLog): PipePool {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { mode: 0o700 });
  let ready: string[] = [];
  let made = 0;
  let making: Promise<void> | null = null;
  const refill = () => {
    if (making || ready.length >= LOW) return;
    making = make().finally(() => {
      making = null;
    });
  };
  const make = () => {
    const paths = Array.from({ length: FULL - ready.length }, () => join(dir, String(++made)));
    // The mode is for who opens the stream again by its name in /dev; the folder keeps everybody else out.
    return new Promise<void>((resolve) => {
      execFile("mkfifo", ["-m", "666", ...paths], { env: { PATH: "/usr/bin:/bin" }, cwd: "/" }, (error) => {
        if (error) log.warn("no named pipes: jobs get sockets", { err: error });
        else ready = [...ready, ...paths];
        resolve();
      });
    });
  };
  return {
    dir,
    take: (count) => {
      const taken = ready.length >= count ? ready.splice(0, count) : null;
      refill();
      return taken;
    },
    refill,
    wait: () => {
      if (ready.length >= PER_JOB) return null;
      refill();
      return making;
    },
  };
}
