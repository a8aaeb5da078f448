import { execa } from "execa";
import { AppError, errnoOf } from "../base/index.ts";

/** A command of the user that renews a login on the host, as one that fetches it from a vault. */
export interface SyncCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home, where it runs. */
  readonly home: string;
}

/** It may talk to a vault over a slow line, and no longer. */
const TIMEOUT_MS = 60_000;
const KILL_AFTER_MS = 2000;
/** What of laned's environment it gets: what it takes to find programs and the user's files, and no key. */
const HANDED_ON = ["PATH", "USER", "LOGNAME", "LANG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/**
 * Runs it to its end. What it prints is not read: it may well print what it fetches.
 * @throws credentials.failed with its exit code or signal
 */
export async function runSyncCommand(
  agent: string,
  { argv, env, home }: SyncCommand,
  opts: { readonly signal: AbortSignal; readonly timeoutMs?: number | undefined },
): Promise<void> {
  const [file = "", ...args] = argv;
  const own = Object.fromEntries(HANDED_ON.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  const { timeoutMs = TIMEOUT_MS } = opts;
  const done = await execa(file, args, {
    env: { ...own, HOME: home },
    extendEnv: false,
    preferLocal: false,
    cwd: home,
    stdio: "ignore",
    timeout: timeoutMs,
    forceKillAfterDelay: KILL_AFTER_MS,
    cancelSignal: opts.signal,
    reject: false,
  });
  if (done.exitCode === 0 && !done.timedOut) return;
  const errno = errnoOf(done.cause);
  const how = done.timedOut
    ? `was not done after ${timeoutMs / 1000} s`
    : errno !== undefined
      ? `could not be started (${errno})`
      : `ended with ${done.signal ?? done.exitCode ?? "an error"}`;
  throw new AppError({
    code: "credentials.failed",
    message: `the sync command of ${agent} ${how}`,
    hint: `run it yourself, and see agents.${agent}.syncCommand in the configuration`,
    retry: "retryable",
    details: { agent },
  });
}
