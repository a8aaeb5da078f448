import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { BOOT_FILES } from "../../internal/protocol/index.ts";

/** The real worker as one bundled file, in a folder of its own. */
export interface WorkerBundle extends Disposable {
  readonly path: string;
}

/** Bundles `cmd/lane-worker` as the build does, without its code cache. About 100 ms. */
export async function bundleWorker(): Promise<WorkerBundle> {
  const dir = mkdtempSync(join(tmpdir(), "lane-worker-bundle-"));
  const path = join(dir, "lane-worker.cjs");
  // Also for a worker that runs as somebody else.
  chmodSync(dir, 0o755);
  const entry = fileURLToPath(new URL("../../cmd/lane-worker/main.ts", import.meta.url));
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    outfile: path,
    logLevel: "error",
    // The real loader calls it; a test has none.
    footer: { js: "if (require.main === module) module.exports.main();" },
  });
  return { path, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Longer than a worker takes to end its jobs. */
const STOP_MS = 9000;

/** Facts every test worker is started with. */
export const TEST_WORKER = {
  laneId: "demo-0123456789",
  secret: "5e".repeat(32),
  build: "ab".repeat(32),
} as const;

/** How a test worker is started. */
export interface WorkerProcessOptions {
  readonly bundle: string;
  readonly generation?: number | undefined;
  /** A volume to use again; a new one when left out. */
  readonly stateDir?: string | undefined;
  /** ms after INT and after TERM. */
  readonly ladder?: readonly [number, number] | undefined;
  /** Program and arguments put before `node`, as `setpriv … --`. */
  readonly launcher?: readonly string[] | undefined;
  readonly agent?: { readonly uid: number; readonly gid: number } | undefined;
  /** Owner of the secret, when the worker is to run as somebody else. */
  readonly owner?: number | undefined;
}

/** A worker as an ordinary process of this machine. */
export interface WorkerProcess extends AsyncDisposable {
  readonly endpoint: string;
  readonly relayUrl: string;
  readonly pid: number;
  readonly generation: number;
  readonly stateDir: string;
  /** Its log so far. */
  log(): string;
  /** Resolves with the exit code once it is gone. */
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a worker and waits until it says `ready`. Disposing ends it with its jobs and removes its folders. */
export async function startWorkerProcess(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const root = mkdtempSync(join(tmpdir(), "lane-worker-"));
  const stateDir = options.stateDir ?? join(root, "state");
  const generation = options.generation ?? 1;
  const bootDir = join(root, "boot");
  stageFolders({ root, bootDir, stateDir, generation, options });
  const flags = ["--boot", bootDir, "--state", stateDir, "--port", "0", "--relay-port", "0", "--host", "127.0.0.1"];
  const ladder = options.ladder === undefined ? [] : ["--ladder", options.ladder.join(",")];
  const [file = process.execPath, ...rest] = [...(options.launcher ?? []), process.execPath, options.bundle];
  const child = spawn(file, [...rest, ...flags, ...ladder], { stdio: ["ignore", "ignore", "pipe"], cwd: "/" });
  let log = "";
  child.stderr?.on("data", (text) => {
    log += text;
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const ready = await Promise.race([waitForReady(child, () => log), exited.then(() => null)]);
  if (ready === null || child.pid === undefined) throw new Error(`the worker did not start:\n${log}`);
  return {
    endpoint: `http://127.0.0.1:${ready.port}`,
    relayUrl: `http://127.0.0.1:${ready.relayPort}`,
    pid: child.pid,
    generation,
    stateDir,
    log: () => log,
    exited,
    kill: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      // Asked first: then it ends what its jobs left running.
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await exited;
      clearTimeout(timer);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function stageFolders(stage: {
  readonly root: string;
  readonly bootDir: string;
  readonly stateDir: string;
  readonly generation: number;
  readonly options: WorkerProcessOptions;
}): void {
  const { laneId, secret, build: buildHash } = TEST_WORKER;
  mkdirSync(stage.bootDir, { recursive: true });
  mkdirSync(stage.stateDir, { recursive: true });
  const agent = stage.options.agent ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const bootstrap = { laneId, laneName: "demo", workspaceId: "w1", generation: stage.generation, build: buildHash };
  const text = JSON.stringify({ ...bootstrap, agentUid: agent.uid, agentGid: agent.gid });
  writeFileSync(join(stage.bootDir, BOOT_FILES.bootstrap), text);
  writeFileSync(join(stage.bootDir, BOOT_FILES.secret), secret, { mode: 0o400 });
  const { owner } = stage.options;
  if (owner === undefined) return;
  chmodSync(stage.root, 0o711);
  chownSync(join(stage.bootDir, BOOT_FILES.secret), owner, owner);
}

async function waitForReady(child: ChildProcess, log: () => string) {
  for (;;) {
    const ready = log()
      .split("\n")
      .find((line) => line.includes('"msg":"ready"'));
    if (ready !== undefined) {
      const { port, relayPort } = JSON.parse(ready) as { readonly port: number; readonly relayPort: number };
      return { port, relayPort };
    }
    if (child.stderr === null || child.exitCode !== null) return null;
    await new Promise((resolve) => child.stderr?.once("data", resolve) && child.once("exit", resolve));
  }
}
