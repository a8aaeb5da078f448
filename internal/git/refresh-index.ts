import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../base/index.ts";
import { filtersOff, LIST_CONFIG } from "./filters.ts";
import type { Config, HardenedGit } from "./hardened-git.ts";

/** The host's side of a lane's work tree. */
export interface HostWorktree {
  readonly path: string;
  /** Its own git dir inside the repository's. */
  readonly gitDir: string;
}

/** Files of a git dir that say that somebody is amid something. */
const UNDER_WAY = new Set(["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"]);

/** Editors look at a work tree all the time, and hold its index for some milliseconds each. */
const LOCK = "index.lock";
const LOCK_WAIT_MS = 1000;
const LOCK_LOOK_MS = 50;

/**
 * Why the branch of a work tree must not be moved now, or null. A locked index is waited for, a second at most. Reads
 * only the git dir, which no lane can write.
 */
export async function whyNotMovable(
  worktree: HostWorktree,
  branch: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const head = await readFile(join(worktree.gitDir, "HEAD"), "utf8");
  if (head.trim() !== `ref: refs/heads/${branch}`) return `its work tree on the host is not on branch ${branch}`;
  for (let waitedMs = 0; ; waitedMs += LOCK_LOOK_MS) {
    const names = await readdir(worktree.gitDir);
    const found = names.find((name) => UNDER_WAY.has(name) || (name === LOCK && waitedMs >= LOCK_WAIT_MS));
    if (found !== undefined) return `a git command is under way on the host (${found})`;
    if (!names.includes(LOCK)) return null;
    await systemClock.sleep(LOCK_LOOK_MS, { signal });
  }
}

/** What an index was found to be. */
export interface IndexLook {
  /** Changes whenever the index does. */
  readonly mark: string;
  /** Nothing was staged: it showed the commit it was compared with. */
  readonly isClean: boolean;
  /** What switches off the filters that the work tree's configuration names. */
  readonly filters: Config;
}

/** Compares the index with `commit`, which is what it shows when nobody has staged anything. Reads only. */
export async function lookAtIndex(
  git: HardenedGit,
  worktree: HostWorktree,
  seen: { readonly commit: string; readonly signal?: AbortSignal | undefined },
): Promise<IndexLook> {
  const mark = await markOfIndex(worktree);
  const at = { gitDir: worktree.gitDir, cwd: worktree.gitDir, signal: seen.signal };
  const [isClean, listed] = await Promise.all([
    showsCommit(git, worktree, seen.commit, seen.signal),
    git({ ...at, args: LIST_CONFIG }),
  ]);
  return { mark, isClean, filters: filtersOff(listed.stdout) };
}

/**
 * Has the index show HEAD, which was moved on from `from`, without reading or writing any file of the work tree. What a
 * person has staged stays staged; where that cannot be, the index stays as it is.
 * @param moved.look what was found before HEAD moved, with `from`: saves the time of a look, if the index is still that
 * @returns whether the index shows HEAD now
 */
export async function refreshIndex(
  git: HardenedGit,
  worktree: HostWorktree,
  moved: { readonly from: string; readonly look?: IndexLook | null; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  const { from, signal } = moved;
  const at = { gitDir: worktree.gitDir, cwd: worktree.gitDir, signal };
  const isCurrent = moved.look?.mark === (await markOfIndex(worktree));
  const look = moved.look && isCurrent ? moved.look : await lookAtIndex(git, worktree, { commit: from, signal });
  if (look.isClean) {
    const { filters } = look;
    await git({ ...at, workTree: worktree.path, filters, args: ["reset", "--mixed", "--quiet", "--no-refresh"] });
    return true;
  }
  if (await showsCommit(git, worktree, "HEAD", signal)) return true;
  const merge = ["read-tree", "-m", from, "HEAD"];
  return (await git({ ...at, args: merge, okExits: [0, 1, 128] })).exitCode === 0;
}

async function showsCommit(git: HardenedGit, { gitDir }: HostWorktree, commit: string, signal?: AbortSignal) {
  const args = ["diff-index", "--cached", "--quiet", "--ignore-submodules=all", commit, "--"];
  return (await git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1] })).exitCode === 0;
}

/** Git writes an index anew under its name. */
async function markOfIndex({ gitDir }: HostWorktree): Promise<string> {
  const found = await lstat(join(gitDir, "index"), { bigint: true }).catch(() => null);
  return found === null ? "none" : `${found.ino}:${found.size}:${found.mtimeNs}`;
}
