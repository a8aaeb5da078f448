import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError, errnoOf, toError } from "../base/index.ts";
import type { Lane, LaneSpec } from "../lane/index.ts";
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
}

/** The bootstrap folders of an installation's lanes, and their workers' secrets. */
export function createBootFolders(settings: BootFolderSettings) {
  const folderOf = (laneId: string) => join(settings.bootDir, laneId);
  const secretFile = (laneId: string, generation: number) => join(settings.secretDir, `${laneId}.${generation}`);
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
        await giveSecret(join(folder, BOOT_FILES.secret), secret, spec, settings.canChown);
      } catch (caught) {
        throw stagingError(lane, folder, caught);
      }
    },

    /** The secret of a generation, or null when it is not known any more. */
    secretOf(laneId: string, generation: number): Promise<string | null> {
      return readSecret(secretFile(laneId, generation));
    },

    /** Removes the lane's folder and secrets. Absent is fine. */
    async remove(laneId: string): Promise<void> {
      await rm(folderOf(laneId), { recursive: true, force: true });
      await removeOtherSecrets(settings.secretDir, laneId, null);
    },

    /** Ids of all lanes that have a folder. */
    async list(): Promise<readonly string[]> {
      return (await listDir(settings.bootDir)).sort();
    },
  };
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
