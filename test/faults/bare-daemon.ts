import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { ApiStatus } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { eventually, type Installation } from "../support/installation.ts";
import { FAULTY_DIST } from "./build-setup.ts";

/** A laned that is our own child: its end is seen at once, however early it comes. */
export interface BareDaemon extends AsyncDisposable {
  readonly pid: number;
  /** Has it ended? */
  dead(): boolean;
  /** Resolves when it has ended, true, or after `ms`, false. */
  endsWithin(ms: number): Promise<boolean>;
  /** Resolves when it answers; rejects when it ends before, or takes too long. */
  answers(): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts the laned of a test build in an installation, armed with `fault` (`name:n`). Disposing kills it. */
export function startBareDaemon(
  home: Installation,
  fault: string | null = null,
  opts: { readonly dist?: string | undefined } = {},
): BareDaemon {
  const env = { ...home.env, ...(fault === null ? {} : { FAULT: fault }) };
  const log = openSync(join(home.dir, "laned.log"), "a");
  const child = spawn(join(opts.dist ?? FAULTY_DIST, "bin", "laned"), [], {
    env,
    cwd: "/",
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const ended = new Promise<true>((resolve) => {
    child.once("exit", () => resolve(true));
    child.once("error", () => resolve(true));
  });
  const dead = () => hasEnded(child);
  const kill = async () => {
    if (!dead()) child.kill("SIGKILL");
    await ended;
  };
  return {
    pid: child.pid ?? 0,
    dead,
    endsWithin: async (ms) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<false>((resolve) => {
        timer = setTimeout(() => resolve(false), ms);
      });
      const done = await Promise.race([ended, late]);
      clearTimeout(timer);
      return done;
    },
    answers: async () => {
      const answer = () => callApi<ApiStatus>(home, "GET", "/v1/status").catch(() => null);
      await eventually(async () => dead() || (await answer())?.pid === child.pid, {
        what: "laned's first answer",
        withinMs: 60_000,
      });
      if (dead()) throw new Error(`laned ended before it answered (${child.signalCode ?? child.exitCode})`);
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}
