import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, errnoOf, toError } from "../base/index.ts";
import { BOOT_GIT, IN_LANE, type Lane, type LaneSpec } from "../lane/index.ts";
import { BOOT_FILES, type Bootstrap } from "../protocol/index.ts";

/** Where the folders are, and who may read what. */
export interface BootFolderSettings {
  /** Holds one folder per lane, mounted read-only at `/run/lane`. On a tmpfs. */
  readonly bootDir: string;
  /** Holds the host's own copy of each secret, 0600: it outlives a logout that wipes the runtime folder. */
  readonly secretDir: string;
  /** Build id of the worker that is mounted, 64 hex digits. */
  readonly workerBuild: string;
  /**
   * True where we may give files away (root). Otherwise the agent's user is also ours, and the secret gets no mode bits
   * at all: on a read-only mount not even its owner can add any, and the worker reads it by a capability.
   */
  readonly canChown: boolean;
  /** What a lane's private git dir is made of, for lanes whose spec has one. May ask git; throws what fails the start. */
  readonly gitSeed?: ((lane: Lane) => Promise<readonly GitSeedFile[]>) | undefined;
}

/** One file of a private git dir as it is to be made. */
export interface GitSeedFile {
  readonly path: string;
  readonly content: string | Buffer;
  readonly mtimeMs?: number | undefined;
}

/** The bootstrap folders of an installation's lanes, and their workers' secrets. */
export function createBootFolders(settings: BootFolderSettings) {
  const folderOf = (laneId: string) => join(settings.bootDir, laneId);
  const secretFile = (laneId: string, generation: number) => join(settings.secretDir, `${laneId}.${generation}`);
  /** Parts of folders that are still being written. */
  const seeding = new Map<string, Promise<void>>();
  return {
    /** Makes the lane's folder anew for a generation and draws its secret. Idempotent. */
    async stage(boot: { readonly lane: Lane; readonly generation: number; readonly spec: LaneSpec }): Promise<void> {
      const { lane, generation, spec } = boot;
      const folder = folderOf(lane.id);
      const bootstrap: Bootstrap = {
        laneId: lane.id,
        laneName: lane.name,
        workspaceId: lane.workspaceId,
        generation,
        build: settings.workerBuild,
        agentUid: spec.security.agentUid,
        agentGid: spec.security.agentGid,
      };
      await seeding.get(lane.id)?.catch(() => undefined);
      const hasGit = spec.mounts.some((mount) => mount.target === IN_LANE.gitPointer);
      const seed = hasGit ? settings.gitSeed?.(lane) : undefined;
      seed?.catch(() => undefined);
      try {
        const secret = (await readSecret(secretFile(lane.id, generation))) ?? randomBytes(32).toString("hex");
        await mkdir(settings.secretDir, { recursive: true, mode: 0o700 });
        await removeOtherSecrets(settings.secretDir, lane.id, generation);
        await writeFile(secretFile(lane.id, generation), secret, { mode: 0o600 });
        await rm(folder, { recursive: true, force: true });
        await mkdir(folder, { recursive: true, mode: 0o755 });
        // The parent is 0700 and ours; the folder itself is what the container sees, so the worker must get in.
        await chmod(folder, 0o755);
        await writeFile(join(folder, BOOT_FILES.bootstrap), JSON.stringify(bootstrap), { mode: 0o444 });
        if (hasGit) await writePointer(folder, spec, settings.canChown);
        await giveSecret(join(folder, BOOT_FILES.secret), secret, spec, settings.canChown);
      } catch (caught) {
        throw stagingError(lane, folder, caught);
      }
      if (!seed) return;
      // Asking git takes as long as the engine's create: that need not wait for it.
      const written = seed.then((files) =>
        writeSeed(folder, files).catch((caught) => {
          throw stagingError(lane, folder, caught);
        }),
      );
      written.catch(() => undefined);
      seeding.set(lane.id, written);
    },

    /**
     * The secret of a generation, or null when it is not known any more; once all that was staged is there.
     * @throws what kept a part of it from being staged
     */
    async secretOf(laneId: string, generation: number): Promise<string | null> {
      await seeding.get(laneId);
      seeding.delete(laneId);
      return readSecret(secretFile(laneId, generation));
    },

    /** Removes the lane's folder and secrets. Absent is fine. */
    async remove(laneId: string): Promise<void> {
      await seeding.get(laneId)?.catch(() => undefined);
      seeding.delete(laneId);
      await rm(folderOf(laneId), { recursive: true, force: true });
      await removeOtherSecrets(settings.secretDir, laneId, null);
    },

    /** Ids of all lanes that have a folder. */
    async list(): Promise<readonly string[]> {
      return (await listDir(settings.bootDir)).sort();
    },
  };
}

/**
 * The file over the worktree's `.git`. Git wants it to be the agent's own; on a read-only mount that gives no right to
 * write it.
 */
async function writePointer(folder: string, { security }: LaneSpec, canChown: boolean): Promise<void> {
  const pointer = join(folder, BOOT_GIT.pointer);
  await writeFile(pointer, `gitdir: ${IN_LANE.git}\n`, { mode: 0o444 });
  if (canChown) await chown(pointer, security.agentUid, security.agentGid);
}

/** What the git dir is made of: there as a whole, or not at all, as its lane may be looking already. */
async function writeSeed(folder: string, files: readonly GitSeedFile[]): Promise<void> {
  const target = join(folder, BOOT_GIT.seed);
  const draft = `${target}.new`;
  const dirs = new Set([draft, ...files.map(({ path }) => dirname(join(draft, path)))]);
  for (const dir of dirs) await mkdir(dir, { recursive: true });
  await Promise.all(
    files.map(async ({ path, content, mtimeMs }) => {
      const file = join(draft, path);
      await writeFile(file, content);
      if (mtimeMs !== undefined) await utimes(file, mtimeMs / 1000, mtimeMs / 1000);
      // Whatever our umask is, the agent reads them; whoever is not in the lane cannot come here.
      await chmod(file, 0o644);
    }),
  );
  for (const dir of dirs) for (let d = dir; d !== folder; d = dirname(d)) await chmod(d, 0o755);
  await rename(draft, target);
}

async function giveSecret(path: string, secret: string, spec: LaneSpec, canChown: boolean): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, secret, { mode: 0o400 });
  if (canChown) await chown(draft, spec.security.workerUid, spec.security.workerGid);
  else await chmod(draft, 0o000);
  await rename(draft, path);
}

async function removeOtherSecrets(dir: string, laneId: string, keep: number | null): Promise<void> {
  for (const name of await listDir(dir)) {
    const dot = name.lastIndexOf(".");
    if (name.slice(0, dot) === laneId && name.slice(dot + 1) !== String(keep))
      await rm(join(dir, name), { force: true });
  }
}

async function readSecret(path: string): Promise<string | null> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    return /^[0-9a-f]{64}$/.test(text) ? text : null;
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT") return null;
    throw toError(caught);
  }
}

async function listDir(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT") return [];
    throw toError(caught);
  }
}

function stagingError(lane: Lane, folder: string, caught: unknown): AppError {
  const full = errnoOf(caught) === "ENOSPC";
  return new AppError({
    code: full ? "store.full" : "store.failed",
    message: `lane ${lane.name}: its bootstrap folder ${folder} cannot be written: ${toError(caught).message}`,
    hint: full
      ? "free space there; the lane is tried again by itself"
      : "check the folder's permissions, then: lane start",
    retry: full ? "retryable" : "terminal",
    cause: caught,
  });
}
