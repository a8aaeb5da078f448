import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import type { StartWork } from "../../protocol/index.ts";
import { type ProcessIdentity, toIdentityArgv } from "../identity.ts";
import { splitEnv } from "../job-env.ts";
import { type JobStdio, openJobStdio } from "./job-stdio.ts";
import { isLaunchWord, type LaunchWord, toLaunchArgv } from "./launch-script.ts";
import type { StreamName } from "./output-collector.ts";
import type { PipePool } from "./pipe-pool.ts";

const SHELL = "/bin/sh";

/** How a launched process ended. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a launcher needs. */
export interface Launch {
  readonly marker: string;
  readonly identity: ProcessIdentity;
  readonly work: StartWork;
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string>>;
}

/** What happens to a launched process, in this order but for `output`. */
export interface LaunchEvents {
  /** `claimed`: the marker is made and the launcher waits for {@link Launched.go}. */
  readonly word: (word: LaunchWord) => void;
  readonly output: (stream: StreamName, bytes: Buffer) => void;
  /** It ended; output may still come. */
  readonly exit: (exit: ProcessExit) => void;
  /** Both streams have ended; with a process that closes them, or is quick, before its exit is seen. */
  readonly closed: () => void;
  /** The launcher itself could not be started; nothing else follows. */
  readonly failed: (error: Error) => void;
}

/** A launcher, and then the process it has become. */
export interface Launched {
  readonly pid: number;
  /** Lets the launcher execute the work. */
  go(): void;
  /** Makes a launcher that still waits give up. */
  abandon(): void;
  setPaused(paused: boolean): void;
  /** Stops reading: a background child may hold the streams open for ever. */
  dropOutput(): void;
}

/** Starts a launcher in a session of its own; null when there is no process, and then `failed` is called. */
export function launch(what: Launch, pool: PipePool, on: LaunchEvents): Launched | null {
  const stdio = tryOpen(pool, what.work.stdin, on);
  if (stdio === null) return null;
  const child = trySpawn(what, stdio, on);
  child?.once("error", on.failed);
  const streams = stdio.attach(child?.pid === undefined ? null : child);
  if (child?.pid === undefined || streams === null) return null;
  const channel = child.stdio[3] as Duplex;
  const { stdout, stderr } = streams;
  readWords(channel, on.word);
  // A launcher may end without waiting for its word.
  for (const stream of [channel, stdout, stderr]) stream.on("error", () => {});
  stdout.on("data", (bytes: Buffer) => on.output("stdout", bytes));
  stderr.on("data", (bytes: Buffer) => on.output("stderr", bytes));
  callOnceAll([stdout, stderr], on.closed);
  child.once("exit", (code, signal) => on.exit({ code, signal }));
  return {
    pid: child.pid,
    go: () => channel.write("go\n"),
    abandon: () => channel.end(),
    setPaused: (paused) => {
      for (const stream of [stdout, stderr]) paused ? stream.pause() : stream.resume();
    },
    dropOutput: () => {
      for (const stream of [stdout, stderr, channel]) stream.destroy();
    },
  };
}

function tryOpen(pool: PipePool, stdin: string | null, on: LaunchEvents): JobStdio | null {
  try {
    return openJobStdio(pool, stdin);
  } catch (caught) {
    // A full disk cannot take the input.
    on.failed(caught as Error);
    return null;
  }
}

function trySpawn(what: Launch, stdio: JobStdio, on: LaunchEvents): ChildProcess | null {
  const { early, late } = splitEnv(what.env);
  const [file, ...args] = toLaunchArgv({
    shell: SHELL,
    marker: what.marker,
    identityArgv: toIdentityArgv(what.identity),
    cwd: what.work.cwd,
    lateEnv: late,
    argv: what.work.argv,
  });
  try {
    // The worker may be unable to enter the work's folder: the second half of the launcher does, as the agent.
    return spawn(file, args, { cwd: "/", env: early, detached: true, stdio: [...stdio.forChild, "pipe"] });
  } catch (caught) {
    // Too long or malformed arguments are thrown, not emitted.
    on.failed(caught as Error);
    return null;
  }
}

function callOnceAll(streams: readonly Readable[], done: () => void): void {
  let open = streams.length;
  for (const stream of streams) {
    stream.once("close", () => {
      open--;
      if (open === 0) done();
    });
  }
}

function readWords(channel: Duplex, onWord: (word: LaunchWord) => void): void {
  let text = "";
  channel.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
      const word = text.slice(0, end);
      text = text.slice(end + 1);
      if (isLaunchWord(word)) onWord(word);
    }
  });
}
