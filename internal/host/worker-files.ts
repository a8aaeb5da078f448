import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError, errnoOf, toError } from "../base/index.ts";

/** One of our files as lanes mount it. */
export interface InstalledFile {
  readonly hostPath: string;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
}

/** The files of one worker build. */
export interface WorkerFiles {
  readonly laneWorker: InstalledFile;
  readonly inbox: InstalledFile;
  /** V8 code cache, null when the build made none. */
  readonly cache: InstalledFile | null;
  /** Digest over all of them: the worker's build id. */
  readonly build: string;
}

/**
 * Copies the built worker into a folder named after its content. Lanes mount from there, never from the checkout: a
 * rebuild or a removed checkout does not pull the files from under a running lane, and two checkouts of one commit are
 * one build.
 * @throws host.tool_missing when nothing was built
 */
export async function installWorkerFiles(dirs: {
  readonly built: string;
  readonly installed: string;
}): Promise<WorkerFiles> {
  const laneWorker = await readBuilt(join(dirs.built, "lane-worker"));
  const inbox = await readBuilt(join(dirs.built, "inbox"));
  const cache = await readFile(join(dirs.built, "lane-worker.cache")).catch(() => null);
  const hash = createHash("sha256");
  for (const part of [laneWorker, inbox, cache ?? Buffer.alloc(0)]) hash.update(sha256(part)).update("\n");
  const build = hash.digest("hex");
  const folder = join(dirs.installed, build.slice(0, 32));
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const place = (name: string, content: Buffer, mode: number) => placeFile(folder, name, content, mode);
  return {
    laneWorker: await place("lane-worker", laneWorker, 0o755),
    inbox: await place("inbox", inbox, 0o755),
    cache: cache ? await place("lane-worker.cache", cache, 0o644) : null,
    build,
  };
}

async function readBuilt(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (caught) {
    throw new AppError({
      code: "host.tool_missing",
      message: `the worker is not built: ${path} cannot be read (${errnoOf(caught) ?? toError(caught).message})`,
      hint: "build it: make build",
      cause: caught,
    });
  }
}

async function placeFile(folder: string, name: string, content: Buffer, mode: number): Promise<InstalledFile> {
  const [hostPath, digest] = [join(folder, name), sha256(content)];
  const present = await readFile(hostPath).catch(() => null);
  if (!present || sha256(present) !== digest || ((await stat(hostPath)).mode & 0o777) !== mode) {
    const draft = `${hostPath}.${process.pid}`;
    await writeWhole(draft, content, mode);
    await rename(draft, hostPath);
  }
  return { hostPath, sha256: digest };
}

async function writeWhole(path: string, content: Buffer, mode: number): Promise<void> {
  await writeFile(path, content, { mode });
  await chmod(path, mode);
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
