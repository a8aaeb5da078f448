import { AppError, hasCode } from "../base/index.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { switchWorktree, updateWorktree, type WorktreeUpdate } from "./merge-worktree.ts";
import type { HostWorktree } from "./refresh-index.ts";
import { canonicalPath, findWorktreeGitDir, listWorktrees } from "./worktree-list.ts";

/** The branch that a lane is merged into. */
export interface MergeTarget {
  readonly ref: string;
  readonly commit: string;
  /** Where somebody has it checked out; null where nobody has. */
  readonly worktree: HostWorktree | null;
}

/** Who merges where. */
export interface MergeInto extends WorktreeUpdate {
  /** Work trees that lanes write: they are never updated from here. Canonical paths. */
  readonly ofLanes: readonly string[];
}

/** Looks the branch up. @throws usage.invalid for no branch */
export async function findTarget(git: HardenedGit, wanted: MergeInto): Promise<MergeTarget> {
  const { gitDir, into, signal } = wanted;
  const ref = `refs/heads/${into}`;
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`];
  const found = await git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1, 128] });
  if (found.exitCode !== 0) {
    throw new AppError({
      code: "usage.invalid",
      message: `there is no branch ${JSON.stringify(into.slice(0, 80))} to merge lane ${wanted.lane} into`,
      hint: "name another one with --into",
    });
  }
  const entry = (await listWorktrees(git, { gitDir, signal })).find((one) => one.branch === into && !one.prunable);
  if (entry === undefined || entry.bare) return { ref, commit: found.stdout, worktree: null };
  const path = await canonicalPath(entry.path);
  const own = (await findWorktreeGitDir(gitDir, path)) ?? gitDir;
  return { ref, commit: found.stdout, worktree: { path, gitDir: own } };
}

/** @throws git.conflict where a lane has the branch checked out */
export function refuseLanes(wanted: MergeInto, { worktree }: MergeTarget): void {
  if (worktree === null || !wanted.ofLanes.includes(worktree.path)) return;
  throw new AppError({
    code: "git.conflict",
    message: `branch ${wanted.into} is checked out in a lane (${worktree.path}), whose files only that lane writes`,
    hint: "merge into another branch with --into, or merge in that lane",
  });
}

/**
 * Moves the branch to `after`. A work tree that has it checked out comes first, the branch last: a death in between
 * leaves the branch where it was, and the next try goes on from there, since files that are at `after` already are in
 * nobody's way.
 * @throws git.conflict: retryable when the branch has moved meanwhile, terminal with the files that are in the way
 */
export async function moveTarget(
  git: HardenedGit,
  wanted: MergeInto,
  target: MergeTarget,
  after: string,
): Promise<void> {
  const { worktree, ref, commit: before } = target;
  if (worktree !== null) await updateWorktree(git, wanted, worktree, { before, after });
  const gitDir = worktree?.gitDir ?? wanted.gitDir;
  const args = ["update-ref", "-m", `lane merge: ${wanted.lane}`, ref, after, before];
  try {
    // Not cancelled: the work tree has moved already.
    await git({ gitDir, cwd: gitDir, args });
  } catch (error) {
    if (worktree !== null) await switchWorktree(git, worktree, after, before);
    if (!hasCode(error, "git.failed")) throw error;
    throw new AppError({
      code: "git.conflict",
      message: `branch ${wanted.into} was moved by somebody else while lane ${wanted.lane} was merged into it`,
      hint: "try again",
      retry: "retryable",
      cause: error,
    });
  }
}
