import { type FileHandle, open, rm } from "node:fs/promises";
import { AppError, hasCode } from "../../base/index.ts";
import type { LaneSide } from "../../git/index.ts";
import { GIT_LIMITS } from "../../protocol/index.ts";
import type { LaneGit } from "../../workerlink/index.ts";

/** What a lane's side of a sync is made from. */
export interface LaneSideOptions {
  /** Name, for messages. */
  readonly lane: string;
  /** Where the bundle goes. */
  readonly file: string;
  /** A job runs in the lane: its branch is not moved. */
  readonly isBusy: () => boolean;
  /** What the lane has said a moment ago; it has made the bundle already. */
  readonly said?: LaneSaid | null;
  readonly signal: AbortSignal;
}

/** A lane's tip, and the size of the bundle of its commits that `have` has not; null when there are none. */
export interface LaneSaid {
  readonly have: string;
  readonly tip: string | null;
  readonly bundleBytes: number | null;
}

/** The lane's side of a sync, over its worker's link. `clear` removes what it has left on the disk. */
export function laneSideOf(link: LaneGit, opts: LaneSideOptions): LaneSide & { clear(): Promise<void> } {
  const { file, lane, signal } = opts;
  let { said = null } = opts;
  return {
    fetch: async (query) => {
      const isSaid = said !== null && query.have.length === 1 && query.have[0] === said.have;
      const { tip, bundleBytes } = said !== null && isSaid ? said : await link.fetch(query, { signal });
      // Its bundle is read once.
      said = null;
      if (bundleBytes === null) return { tip, bundle: null };
      if (bundleBytes > GIT_LIMITS.bundleBytes) throw tooLarge(lane, bundleBytes);
      const handle = await open(file, "w", 0o600);
      try {
        await copy(link, handle, bundleBytes, opts);
      } finally {
        await handle.close();
      }
      return { tip, bundle: file };
    },
    advance: async (move) => {
      if (opts.isBusy()) return "a job is running in the lane";
      try {
        await link.advance(move, { signal });
        return null;
      } catch (error) {
        if (hasCode(error, "worker.refused") && error.details.code === "held") return String(error.details.message);
        throw error;
      }
    },
    clear: () => rm(file, { force: true }),
  };
}

async function copy(link: LaneGit, to: FileHandle, bytes: number, opts: LaneSideOptions): Promise<void> {
  for (let offset = 0; offset < bytes; ) {
    const piece = await link.read(offset, { signal: opts.signal });
    if (piece.length === 0 || offset + piece.length > bytes) {
      throw new AppError({
        code: "worker.protocol",
        message: `lane ${opts.lane}: the bundle of its commits is not of the size that its worker said`,
        retry: "retryable",
      });
    }
    await to.write(piece, 0, piece.length, offset);
    offset += piece.length;
  }
}

function tooLarge(lane: string, bytes: number): AppError {
  return new AppError({
    code: "git.refused",
    message: `lane ${lane}: its new commits take ${bytes} bytes, at most ${GIT_LIMITS.bundleBytes} are taken over`,
    hint: "commit large files elsewhere, or in smaller steps with a sync in between",
  });
}
