import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { sha256 } from "./build-id.ts";
import type { ImageNode } from "./image-node.ts";
import { run } from "./run.ts";

/** How long one warm-up run may take; it takes about 0.2 s on the host, 0.6 s in a container. */
const WARM_UP_TIMEOUT_MS = 30_000;

/** Caches kept for builds to come; each has about 1 MB. */
const KEPT_MAX = 24;

/** The outcome of making a program's code cache: from which Node it is, or why there is none. */
export type CodeCacheResult =
  | { readonly kind: "made" | "reused"; readonly node: string }
  | { readonly kind: "none"; readonly reason: string };

/** Where to look for what. */
export interface CodeCacheOptions {
  /** The program, executable and complete; its cache goes beside it. */
  readonly program: string;
  readonly warmUp: readonly string[];
  /** `lanekeeper` below the user's cache folder: fetched Nodes, and the caches made so far. */
  readonly cacheDir: string;
  /** Which Node will run the program: this one (`host`) or the image's. */
  readonly runBy: "host" | ImageNode;
}

/**
 * Makes `<program>.cache` with the very Node that will use it: V8 takes a cache only from the same version and flags.
 * A cache already made from the same bytes by the same Node is used again, because its bytes differ from run to run
 * and are part of a lane's fingerprint: a rebuild of unchanged sources must not make lanes drift.
 * Never throws for a cache that cannot be made: the program works without.
 */
export async function makeCodeCache(options: CodeCacheOptions): Promise<CodeCacheResult> {
  const target = `${options.program}.cache`;
  const scratch = await mkdtemp(join(tmpdir(), "lanekeeper-build-"));
  try {
    const runner = await chooseRunner(options);
    const digest = sha256(await readFile(options.program)).slice(0, 32);
    const kept = join(options.cacheDir, "code-cache", `${digest}-${runner.id}-${process.arch}.cache`);
    if (await exists(kept)) {
      await place(kept, target);
      const now = new Date();
      await utimes(kept, now, now).catch(() => undefined);
      return { kind: "reused", node: runner.id };
    }
    const made = join(scratch, "made.cache");
    await runner.run(options.program, scratch, options.warmUp);
    await mkdir(dirname(kept), { recursive: true, mode: 0o700 });
    await place(made, kept);
    await place(kept, target);
    await dropOldest(dirname(kept));
    return { kind: "made", node: runner.id };
  } catch (caught) {
    await rm(target, { force: true });
    return { kind: "none", reason: reasonOf(caught) };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Runner {
  /** The Node's version, as `v20.20.2`. */
  readonly id: string;
  /** Runs the program so that it writes `made.cache` into `scratch`. */
  readonly run: (program: string, scratch: string, warmUp: readonly string[]) => Promise<unknown>;
}

async function chooseRunner(options: CodeCacheOptions): Promise<Runner> {
  if (options.runBy === "host") return nodeRunner(process.execPath, process.version);
  const { image, version } = options.runBy;
  if (version) {
    const arch = process.arch === "arm64" ? "arm64" : "x64";
    // The very file that went into an image built from packages.
    const fetched = join(options.cacheDir, "node", `${version}-linux-${arch}`, "bin", "node");
    if (await exists(fetched)) return nodeRunner(fetched, version);
    if (version === process.version) return nodeRunner(process.execPath, version);
  }
  return containerRunner(image);
}

function nodeRunner(node: string, version: string): Runner {
  return {
    id: version,
    run: (program, scratch, warmUp) =>
      run(node, [program, ...writeArguments(join(scratch, "made.cache"), warmUp)], {
        timeoutMs: WARM_UP_TIMEOUT_MS,
        // Options in the environment would change V8's flags, and with them what the cache is good for.
        env: { NODE_OPTIONS: "" },
      }),
  };
}

/** Without a shared Node, a throw-away container is the way; runtimes and limits as on machines where defaults fail. */
async function containerRunner(image: string): Promise<Runner> {
  const errors: string[] = [];
  for (const runtime of [null, "runc", "crun"]) {
    const inContainer = (volumes: readonly string[], command: readonly string[]) => {
      const options = ["--rm", "--network", "none", "--security-opt", "label=disable", "--env", "NODE_OPTIONS="];
      const limits = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"];
      const mounts = volumes.flatMap((volume) => ["--volume", volume]);
      const args = [...(runtime ? ["--runtime", runtime] : []), "run", ...options, ...limits, ...mounts, image];
      return run("podman", [...args, ...command], { timeoutMs: WARM_UP_TIMEOUT_MS });
    };
    try {
      const { stdout } = await inContainer([], ["node", "--version"]);
      return {
        id: stdout.trim(),
        run: (program, scratch, warmUp) => {
          const inside = `/build/${basename(program)}`;
          const volumes = [`${program}:${inside}:ro`, `${scratch}:/out`];
          return inContainer(volumes, ["node", inside, ...writeArguments("/out/made.cache", warmUp)]);
        },
      };
    } catch (caught) {
      errors.push(reasonOf(caught));
    }
  }
  throw new Error(`no container of ${image} could be started: ${errors.at(-1) ?? ""}`);
}

function writeArguments(file: string, warmUp: readonly string[]): readonly string[] {
  return ["--write-code-cache", file, ...(warmUp.length > 0 ? ["--", ...warmUp] : [])];
}

async function place(from: string, to: string): Promise<void> {
  const draft = `${to}.${process.pid}`;
  await copyFile(from, draft);
  await rename(draft, to);
}

/** Another build may be doing the same: what is gone already is fine. */
async function dropOldest(folder: string): Promise<void> {
  const paths = (await readdir(folder)).map((name) => join(folder, name));
  const times = await Promise.all(
    paths.map((path) =>
      stat(path)
        .then((stats) => stats.mtimeMs)
        .catch(() => 0),
    ),
  );
  const byAge = paths.map((path, index) => ({ path, at: times[index] ?? 0 })).sort((a, b) => b.at - a.at);
  for (const { path } of byAge.slice(KEPT_MAX)) await rm(path, { force: true });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function reasonOf(caught: unknown): string {
  const text = caught instanceof Error ? caught.message : String(caught);
  return text.split("\n").slice(0, 6).join(" | ");
}
