import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../base/index.ts";
import type { Repository } from "./describe-repository.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { canonicalPath, findWorktreeGitDir, listWorktrees, type WorktreeEntry } from "./worktree-list.ts";

/** What to make. */
export interface AddWorktree {
  readonly repo: Pick<Repository, "path" | "gitDir">;
  /** Absolute; its parents are made. */
  readonly path: string;
  readonly branch: string;
  /** Where a new branch starts: any name of a commit. Not looked at when the branch exists. */
  readonly from: string;
  readonly signal?: AbortSignal | undefined;
}

/** A work tree that is there now. */
export interface AddedWorktree {
  /** Canonical. */
  readonly path: string;
  /** Its private git dir inside the repository's. */
  readonly gitDir: string;
  readonly branch: string;
  readonly commit: string;
  readonly createdBranch: boolean;
  readonly createdWorktree: boolean;
}

/** A checkout may be large. */
const CHECKOUT_TIMEOUT_MS = 15 * 60_000;

/** For undoing what a failed or cancelled call began; runs without the caller's signal. */
const ROLLBACK_TIMEOUT_MS = 30_000;

/**
 * Makes a work tree for `branch` at `path`: a new branch starts at `from`, an existing one is adopted, and so is a
 * work tree of that branch that is already there. May be repeated after an interruption. Runs no hook and no filter of
 * the repository: files under a filter (as git-lfs) arrive as they are stored.
 * @throws git.conflict (branch or folder in use), usage.invalid (branch name, ref), git.failed
 */
export async function addWorktree(git: HardenedGit, wanted: AddWorktree): Promise<AddedWorktree> {
  const { gitDir } = wanted.repo;
  const signal = wanted.signal;
  const path = await canonicalPath(wanted.path);
  const query = (args: readonly string[]) => git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1, 128] });
  await checkBranchName(query, wanted.branch);
  const ref = `refs/heads/${wanted.branch}`;

  const entry = adoptable(await listWorktrees(git, { gitDir, signal }), path, wanted.branch);
  const tip = await query(["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`]);
  const createdBranch = tip.exitCode !== 0;
  if (entry !== null && !entry.prunable) {
    const own = await privateGitDir(gitDir, path);
    // No index yet: an earlier call was interrupted between registering and checking out.
    if (!(await exists(join(own, "index")))) await checkOut(git, own, path, signal);
    return {
      path,
      gitDir: own,
      branch: wanted.branch,
      commit: tip.stdout,
      createdBranch: false,
      createdWorktree: false,
    };
  }
  const commit = createdBranch ? await resolveCommit(query, wanted.from) : tip.stdout;
  if (await isOccupied(path)) {
    throw conflict(
      `${path} exists already and is not a work tree of ${wanted.repo.path}`,
      "move it away, or choose another name",
    );
  }
  try {
    // Registered first and filled afterwards: which filters exist can depend on the new git dir itself.
    const options = ["--no-checkout", "--quiet", ...(entry === null ? [] : ["--force"])];
    const target = createdBranch
      ? ["--no-track", "-b", wanted.branch, "--", path, commit]
      : ["--", path, wanted.branch];
    await git({ gitDir, cwd: gitDir, signal, args: ["worktree", "add", ...options, ...target] });
    const own = await privateGitDir(gitDir, path);
    await checkOut(git, own, path, signal);
    return { path, gitDir: own, branch: wanted.branch, commit, createdBranch, createdWorktree: true };
  } catch (error) {
    await rollBack(git, gitDir, path, createdBranch ? { ref, commit } : null);
    throw error;
  }
}

type Query = (args: readonly string[]) => Promise<{ readonly exitCode: number; readonly stdout: string }>;

/** The entry at `path` when it can be taken over, null when there is none. */
function adoptable(entries: readonly WorktreeEntry[], path: string, branch: string): WorktreeEntry | null {
  const here = entries.find((entry) => entry.path === path) ?? null;
  if (here !== null && here.branch !== branch) {
    throw conflict(
      `${path} is a work tree of ${here.branch === null ? "a detached commit" : `branch ${JSON.stringify(here.branch)}`}, not of ${JSON.stringify(branch)}`,
      "choose another name, or remove that work tree",
    );
  }
  const elsewhere = entries.find((entry) => entry.branch === branch && entry.path !== path);
  if (elsewhere !== undefined) {
    throw conflict(
      `branch ${JSON.stringify(branch)} is checked out in ${elsewhere.path}`,
      elsewhere.prunable
        ? "that folder is gone: run git worktree prune in the repository"
        : "choose another branch, or switch that work tree to another one",
    );
  }
  if (here?.prunable && here.locked !== null) {
    throw conflict(`the folder of the locked work tree ${path} is gone`, `run: git worktree unlock ${path}`);
  }
  return here;
}

async function checkBranchName(query: Query, branch: string): Promise<void> {
  const checked = await query(["check-ref-format", `refs/heads/${branch}`]);
  if (checked.exitCode === 0 && !branch.startsWith("-") && branch !== "HEAD") return;
  throw new AppError({
    code: "usage.invalid",
    message: `not a branch name: ${JSON.stringify(branch.slice(0, 80))}`,
    hint: "see git help check-ref-format",
  });
}

async function resolveCommit(query: Query, from: string): Promise<string> {
  const found = await query(["rev-parse", "--verify", "--quiet", "--end-of-options", `${from}^{commit}`]);
  if (found.exitCode === 0 && /^[0-9a-f]{40,64}$/.test(found.stdout)) return found.stdout;
  throw new AppError({
    code: "usage.invalid",
    message: `there is no commit ${JSON.stringify(from.slice(0, 80))} in the repository`,
    hint: "name a branch, tag or commit that git rev-parse knows; fetch it first when it is on a remote",
  });
}

/** Fills the work tree from HEAD. A lock left by a killed call is removed: nobody else fills an empty work tree. */
async function checkOut(git: HardenedGit, own: string, path: string, signal: AbortSignal | undefined): Promise<void> {
  await rm(join(own, "index.lock"), { force: true });
  const args = ["reset", "--hard", "--quiet", "--no-recurse-submodules"];
  await git({ gitDir: own, workTree: path, cwd: path, signal, args, timeoutMs: CHECKOUT_TIMEOUT_MS });
}

async function rollBack(
  git: HardenedGit,
  gitDir: string,
  path: string,
  branch: { readonly ref: string; readonly commit: string } | null,
): Promise<void> {
  const undo = (args: readonly string[]) =>
    git({ gitDir, cwd: gitDir, args, timeoutMs: ROLLBACK_TIMEOUT_MS }).then(
      () => undefined,
      () => undefined, // the error that led here is the one to report
    );
  if ((await findWorktreeGitDir(gitDir, path)) !== null) await undo(["worktree", "remove", "--force", "--", path]);
  // Only when it still stands where we put it.
  if (branch !== null) await undo(["update-ref", "-d", branch.ref, branch.commit]);
}

async function privateGitDir(gitDir: string, path: string): Promise<string> {
  const own = await findWorktreeGitDir(gitDir, path);
  if (own !== null) return own;
  throw new AppError({
    code: "git.failed",
    message: `the work tree ${path} is not registered in ${gitDir}`,
    hint: "run git worktree repair",
  });
}

async function isOccupied(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null) return false;
  return !found.isDirectory() || (await readdir(path)).length > 0;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}

function conflict(message: string, hint: string): AppError {
  return new AppError({ code: "git.conflict", message, hint });
}
