import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ExecaError, execa, type Result } from "execa";
import { startTimeOf } from "../../internal/host/index.ts";

/** What was built. */
export const DIST = join(import.meta.dirname, "..", "..", "dist");

/** What a call of the CLI gave back. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A whole installation of its own: XDG folders below one temporary folder, the real daemon, the real CLI. Nothing is
 * shared with any other installation on the machine but the engine itself.
 */
export interface Installation extends AsyncDisposable {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs `lane` with these arguments. Never throws for an exit code. */
  lane(
    args: readonly string[],
    opts?: { readonly input?: string; readonly cwd?: string; readonly timeoutMs?: number },
  ): Promise<CliResult>;
  /** As {@link lane} with `--json`, parsed; throws when the exit code is not 0. */
  json<T = unknown>(args: readonly string[]): Promise<T>;
  /** Starts the daemon and waits until it answers. Returns its pid. */
  up(): Promise<number>;
  /** SIGKILL to the daemon, and waits until it is gone. */
  kill9(): Promise<void>;
  daemonPid(): Promise<number | null>;
  /** Runs `laned` itself in the foreground until it ends by itself, at most 10 s. */
  laned(): Promise<CliResult>;
  /** The installation's id, once the daemon has run. */
  installId(): Promise<string>;
  /** A git repository with one commit, below this installation's folder. */
  repository(name?: string): Promise<string>;
  stateDir: string;
}

/**
 * Makes an installation. `config` is the text of its config.yaml, `dist` another build than this tree's. Disposing ends
 * the daemon and removes everything.
 */
export async function newInstallation(
  opts: { readonly config?: string; readonly env?: Record<string, string>; readonly dist?: string } = {},
): Promise<Installation> {
  const bin = join(opts.dist ?? DIST, "bin");
  const dir = await mkdtemp(join(tmpdir(), "lk-"));
  const env: Record<string, string> = {
    ...(process.env as Record<string, string>),
    HOME: join(dir, "home"),
    XDG_CONFIG_HOME: join(dir, "c"),
    XDG_STATE_HOME: join(dir, "s"),
    XDG_DATA_HOME: join(dir, "d"),
    XDG_CACHE_HOME: join(dir, "k"),
    XDG_RUNTIME_DIR: join(dir, "r"),
    NO_COLOR: "1",
    ...opts.env,
  };
  for (const key of [
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
  ]) {
    await mkdir(env[key] as string, { recursive: true, mode: 0o700 });
  }
  await mkdir(join(dir, "c", "lanekeeper"), { recursive: true });
  if (opts.config) await writeFile(join(dir, "c", "lanekeeper", "config.yaml"), opts.config);
  const stateDir = join(dir, "s", "lanekeeper");

  const lane: Installation["lane"] = async (args, o = {}) => {
    const result = await execa(join(bin, "lane"), args, {
      env,
      extendEnv: false,
      reject: false,
      cwd: o.cwd ?? dir,
      timeout: o.timeoutMs ?? 150_000,
      stripFinalNewline: false,
      ...(o.input === undefined ? { stdin: "ignore" as const } : { input: o.input }),
    });
    return { code: exitCode(result), stdout: result.stdout as string, stderr: result.stderr as string };
  };

  const daemonPid = async (): Promise<number | null> => {
    const status = await lane(["status", "--json"]);
    return status.code === 0 ? (JSON.parse(status.stdout) as { pid: number }).pid : null;
  };

  const installId = async (): Promise<string> => (await readFile(join(stateDir, "install"), "utf8")).trim();

  const laned = async (): Promise<CliResult> => {
    const result = await execa(join(bin, "laned"), [], {
      env,
      extendEnv: false,
      reject: false,
      cwd: dir,
      timeout: 10_000,
    });
    return { code: exitCode(result), stdout: result.stdout as string, stderr: result.stderr as string };
  };

  return {
    laned,
    dir,
    env,
    stateDir,
    lane,
    daemonPid,
    installId,
    async json<T>(args: readonly string[]): Promise<T> {
      const end = args.indexOf("--");
      const at = end < 0 ? args.length : end;
      const result = await lane([...args.slice(0, at), "--json", ...args.slice(at)]);
      if (result.code !== 0)
        throw new Error(`lane ${args.join(" ")} ended with ${result.code}: ${result.stderr}${result.stdout}`);
      return JSON.parse(result.stdout) as T;
    },
    async up() {
      const result = await lane(["up"]);
      if (result.code !== 0) throw new Error(`lane up ended with ${result.code}: ${result.stderr}`);
      const pid = await daemonPid();
      if (pid === null) throw new Error("the daemon does not answer after lane up");
      return pid;
    },
    async kill9() {
      const pid = await daemonPid();
      if (pid === null) throw new Error("no daemon to kill");
      process.kill(pid, "SIGKILL");
      await eventually(() => startTimeOf(pid) === null, { what: "the daemon's end" });
    },
    async repository(name = "repo") {
      const path = join(dir, name);
      await mkdir(path, { recursive: true });
      const git = (...args: string[]) =>
        execa("git", ["-C", path, "-c", "user.name=t", "-c", "user.email=t@t", ...args], {
          env: { HOME: env.HOME as string },
        });
      await git("init", "-q", "-b", "main");
      await writeFile(join(path, "hello.txt"), "hello\n");
      await git("add", ".");
      await git("commit", "-qm", "first");
      return path;
    },
    async [Symbol.asyncDispose]() {
      if (process.env.KEEP_FAILED === "1") return;
      await lane(["down"]).catch(() => undefined);
      if (existsSync(join(stateDir, "install"))) await sweepInstall(await installId());
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function exitCode(result: Result | ExecaError): number {
  if (result.exitCode !== undefined) return result.exitCode;
  if (result.timedOut) throw new Error(`timed out: ${result.command}`);
  return 255;
}

/** Removes every container, network, volume and image that is of this install id. */
export async function sweepInstall(install: string): Promise<void> {
  for (const owner of [install, `packages:${install}`]) await sweepOwner(owner);
  const images = ["images", "-q", "--no-trunc", "--filter", `label=io.lanekeeper.packages=${install}`];
  for (const id of new Set((await execa("podman", images, { reject: false })).stdout.split("\n").filter(Boolean)))
    await execa("podman", ["rmi", "-f", id], { reject: false });
}

async function sweepOwner(owner: string): Promise<void> {
  const label = `label=io.lanekeeper.install=${owner}`;
  const ids = async (args: string[]) =>
    (await execa("podman", args, { reject: false })).stdout.split("\n").filter(Boolean);
  for (const id of await ids(["ps", "-aq", "--filter", label]))
    await execa("podman", ["rm", "-f", "-t", "0", id], { reject: false });
  for (const name of await ids(["network", "ls", "-q", "--filter", label])) {
    await execa("podman", ["network", "rm", "-f", name], { reject: false });
  }
  for (const name of await ids(["volume", "ls", "-q", "--filter", label]))
    await execa("podman", ["volume", "rm", "-f", name], { reject: false });
}

/** Waits until `probe` is true (or gives a value), asking every 25 ms. Throws with `what` after `withinMs`. */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  opts: { readonly what: string; readonly withinMs?: number },
): Promise<Exclude<T, false | null | undefined>> {
  const endMs = performance.now() + (opts.withinMs ?? 20_000);
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== false && value !== null && value !== undefined)
        return value as Exclude<T, false | null | undefined>;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endMs) throw new Error(`waited in vain for ${opts.what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A name that no other run has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString("hex")}`;
}
