import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { AppError, errnoOf, toError } from "../base/index.ts";
import { type CallOptions, createPodmanRuntime } from "./podman-runtime.ts";

/** Where to look, in this order. */
export interface ServiceSearch {
  /** From the configuration; an address that refuses is an error, never replaced by another. */
  readonly configured: string | null;
  readonly uid: number;
  /** `$XDG_RUNTIME_DIR` of the user, if any. */
  readonly userRuntimeDir: string | null;
  /** Where our own service listens when there is no other. */
  readonly ownSocket: string;
  /** Its output goes there. */
  readonly ownLog: string;
  /** OCI runtime a service of our own is started with; null for the engine's default. */
  readonly ownRuntime: string | null;
}

/** A service that answers. */
export interface FoundService {
  readonly address: string;
  /** Started by us. */
  readonly own: boolean;
}

/** A service of our own has so long to answer; 46 ms is usual. */
const OWN_START_MS = 10_000;

/**
 * A service of our own ends after so long without a connection, s. The daemon always holds one (its event stream), so
 * this only cleans up after a daemon that is gone for good.
 */
const OWN_IDLE_S = 60;

/**
 * Finds a libpod service: the configured one, the user's or the system's socket, else one of our own.
 * @throws engine.refused when the configured one does not answer; engine.unavailable when there is none and none can be started
 */
export async function findService(search: ServiceSearch, opts: CallOptions): Promise<FoundService> {
  if (search.configured !== null) return useConfigured(search.configured, opts);
  const user = search.userRuntimeDir ? [`unix://${search.userRuntimeDir}/podman/podman.sock`] : [];
  const system = search.uid === 0 ? ["unix:///run/podman/podman.sock"] : [];
  for (const address of [...user, ...system]) {
    if (await answers(address, opts)) return { address, own: false };
  }
  const own = `unix://${search.ownSocket}`;
  const running = await answers(own, opts);
  const keep = running && hasWantedRuntime(search);
  if (running && !keep) await stopOwnService(search.ownSocket);
  if (!keep) await startOwn(search, own, opts);
  return { address: own, own: true };
}

/** A daemon with other settings may have left a service with another runtime; one that is not ours is taken as it is. */
function hasWantedRuntime(search: ServiceSearch): boolean {
  const argv = ownCommand(search.ownSocket);
  if (argv === null) return true;
  const at = argv.indexOf("--runtime");
  return (at < 0 ? null : argv[at + 1]) === search.ownRuntime;
}

async function useConfigured(address: string, opts: CallOptions): Promise<FoundService> {
  if (!address.startsWith("unix://")) {
    throw new AppError({
      code: "engine.refused",
      message: `the configured engine address ${address} is not a unix socket`,
      hint: "use unix:///path/to/podman.sock in engine.address or CONTAINER_HOST",
    });
  }
  if (await answers(address, opts)) return { address, own: false };
  throw new AppError({
    code: "engine.refused",
    message: `the configured container engine at ${address} does not answer`,
    hint: "start it (systemctl --user start podman.socket), or take engine.address and CONTAINER_HOST away to use another",
    retry: "retryable",
  });
}

async function answers(address: string, opts: CallOptions): Promise<boolean> {
  const runtime = createPodmanRuntime({ address });
  try {
    await runtime.ping(opts);
    return true;
  } catch (error) {
    if (opts.signal?.aborted) throw error;
    return false;
  } finally {
    await runtime.close();
  }
}

/**
 * In a session of its own, so that neither a ^C nor a kill of our group ever cuts a mutation in half (pitfall P10). It
 * outlives the daemon by a minute: a daemon that comes back finds it again. The OCI runtime is a global option of the
 * service: the API's own field for it is ignored by 4.3.1 (seen).
 */
async function startOwn(search: ServiceSearch, address: string, opts: CallOptions): Promise<void> {
  mkdirSync(dirname(search.ownSocket), { recursive: true, mode: 0o700 });
  mkdirSync(dirname(search.ownLog), { recursive: true, mode: 0o700 });
  const runtime = search.ownRuntime === null ? [] : ["--runtime", search.ownRuntime];
  const argv = [...runtime, "system", "service", `--time=${OWN_IDLE_S}`, address];
  rmSync(search.ownSocket, { force: true });
  const log = openSync(search.ownLog, "a", 0o600);
  const ended: { failure: Error | null } = { failure: null };
  try {
    const child = spawn("podman", argv, { detached: true, stdio: ["ignore", log, log] });
    child.on("error", (error) => {
      ended.failure = error;
    });
    child.on("exit", (code, signal) => {
      ended.failure ??= new Error(`it ended with ${signal ?? `exit code ${code}`}`);
    });
    child.unref();
    if (child.pid !== undefined) writeFileSync(pidFile(search.ownSocket), `${child.pid}\n`, { mode: 0o600 });
  } finally {
    closeSync(log);
  }
  const endMs = performance.now() + OWN_START_MS;
  while (performance.now() < endMs && ended.failure === null) {
    if (await answers(address, opts)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw startError(search, ended.failure);
}

const pidFile = (socket: string): string => `${socket}.pid`;

/**
 * Ends a service of our own, found by its pid file and its command line: a pid alone may be another process by now.
 * Containers are not touched by it. Absent is fine.
 */
export async function stopOwnService(ownSocket: string): Promise<void> {
  const pid = ownPid(ownSocket);
  const isOurs = () => ownCommand(ownSocket, pid) !== null;
  if (isOurs()) process.kill(pid, "SIGTERM");
  for (let waited = 0; waited < 3000 && isOurs(); waited += 20) await new Promise((resolve) => setTimeout(resolve, 20));
  if (isOurs()) process.kill(pid, "SIGKILL");
  // The files are left: another service may be on them by now.
}

const ownPid = (ownSocket: string): number => Number(readTextOr(pidFile(ownSocket), ""));

/** Command line of the service on record, or null when it is gone or its pid is another process by now. */
function ownCommand(ownSocket: string, pid = ownPid(ownSocket)): readonly string[] | null {
  if (!Number.isSafeInteger(pid) || pid <= 1) return null;
  const argv = readTextOr(`/proc/${pid}/cmdline`, "").split("\0");
  return argv.includes(`unix://${ownSocket}`) ? argv : null;
}

function readTextOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return otherwise;
  }
}

function startError(search: ServiceSearch, failure: Error | null): AppError {
  const absent = errnoOf(failure) === "ENOENT";
  return new AppError({
    code: "engine.unavailable",
    message: absent
      ? "podman is not installed, or not on the PATH"
      : `podman's API service did not come up on ${search.ownSocket} (${failure ? toError(failure).message : "no answer in time"})`,
    hint: absent ? "install it: make setup (or apt-get install podman)" : `see ${search.ownLog}, and: lane doctor`,
    retry: "retryable",
    cause: failure ?? undefined,
  });
}
