import { readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, hasCode } from "../base/index.ts";
import { type ChosenBranch, chooseBranch } from "./choose-branch.ts";
import type { Repository } from "./describe-repository.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { filledSubmodules } from "./remove-worktree.ts";
import { foreignOwner, makeFolder } from "./repository-owner.ts";
import { shieldSubmodules } from "./submodules.ts";
import { canonicalPath, findWorktreeGitDir, listWorktrees, type WorktreeEntry } from "./worktree-list.ts";
import { markMade, startOf } from "./worktree-mark.ts";

/** What to make. */
export interface AddWorktree {
  readonly repo: Pick<Repository, "path" | "gitDir">;
  /** Where a new one goes. Absolute; its parents are made. */
  readonly path: string;
  readonly branch: string;
  /** Where a new branch starts: any name of a commit. Null: at the one remote branch of its name, else at HEAD. */
  readonly from: string | null;
  /** The lane that has the work tree at this path already; null for none. */
  readonly laneAt?: ((path: string) => string | null) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A work tree that is there now. */
export interface AddedWorktree {
  /** Canonical; an adopted one is where it was. */
  readonly path: string;
  /** Its private git dir inside the repository's. */
  readonly gitDir: string;
  readonly branch: string;
  readonly commit: string;
  readonly createdBranch: boolean;
  readonly createdWorktree: boolean;
  /** It was somebody's before. */
  readonly adopted: boolean;
}

/** A checkout may be large. */
const CHECKOUT_TIMEOUT_MS = 15 * 60_000;

/** For undoing what a failed or cancelled call began; runs without the caller's signal. */
const ROLLBACK_TIMEOUT_MS = 30_000;

/**
 * Makes a work tree for `branch` at `path`: {@link chooseBranch} says for which; a work tree of that branch that is
 * already there is adopted, wherever it is. May be repeated after an interruption. Runs no hook and no filter of the
 * repository: files under a filter (as git-lfs) arrive as they are stored.
 * @throws git.conflict (branch or folder in use), usage.invalid (branch name, ref), git.failed
 */
export async function addWorktree(git: HardenedGit, wanted: AddWorktree): Promise<AddedWorktree> {
  const { gitDir } = wanted.repo;
  const signal = wanted.signal;
  const path = await canonicalPath(wanted.path);
  const query = (args: readonly string[]) => git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1, 128] });
  const chosen = await chooseBranch(query, wanted.branch, wanted.from);
  const { branch, commit } = chosen;
  const entry = adoptable(await listWorktrees(git, { gitDir, signal }), path, branch, wanted.laneAt);
  if (entry !== null && !entry.prunable) {
    const own = await privateGitDir(gitDir, entry.path);
    // No index yet: an earlier call was interrupted between registering and checking out.
    if (entry.path === path && !(await exists(join(own, "index")))) {
      await markMade(own, commit);
      await checkOut(git, own, path, signal);
    }
    const adopted = (await startOf(own)) === null;
    if (adopted) await refuseFilled(git, { gitDir, path: entry.path, branch, signal });
    await shieldSubmodules(git, { gitDir: own, signal });
    return { path: entry.path, gitDir: own, branch, commit, createdBranch: false, createdWorktree: false, adopted };
  }
  if (await isOccupied(path)) {
    throw conflict(
      `${path} exists already and is not a work tree of ${wanted.repo.path}`,
      "move it away, or choose another name",
    );
  }
  const createdBranch = chosen.kind === "new";
  try {
    const owner = await foreignOwner(gitDir);
    if (owner !== null) await makeFolder(dirname(path), owner);
    // Registered first and filled afterwards: which filters exist can depend on the new git dir itself.
    const options = ["--no-checkout", "--quiet", ...(entry === null ? [] : ["--force"])];
    await git({ gitDir, cwd: gitDir, signal, args: ["worktree", "add", ...options, ...targetOf(chosen, path)] });
    const own = await privateGitDir(gitDir, path);
    await checkHead(own, branch);
    await markMade(own, commit);
    await checkOut(git, own, path, signal);
    await shieldSubmodules(git, { gitDir: own, signal });
    return { path, gitDir: own, branch, commit, createdBranch, createdWorktree: true, adopted: false };
  } catch (error) {
    await rollBack(git, gitDir, path, createdBranch ? { ref: `refs/heads/${branch}`, commit } : null);
    throw createdBranch ? inTheWay(error, branch) : error;
  }
}

function targetOf(chosen: ChosenBranch, path: string): readonly string[] {
  if (chosen.kind === "existing") return ["--", path, chosen.branch];
  const { branch, commit, upstream } = chosen;
  const track = upstream === null ? ["--no-track", "-b", branch] : ["--track", "-b", branch];
  return [...track, "--", path, upstream ?? commit];
}

/** Git dirs of submodules that the host has filled are out of a lane's sight: git there would die over them. */
async function refuseFilled(
  git: HardenedGit,
  found: {
    readonly gitDir: string;
    readonly path: string;
    readonly branch: string;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { gitDir, path, branch, signal } = found;
  const filled = await filledSubmodules(git, { repo: { gitDir }, path, signal });
  if (filled.length === 0) return;
  throw conflict(
    `the work tree ${path} has submodules with files (${filled.map((name) => JSON.stringify(name)).join(", ")}), whose git dirs no lane can see`,
    `empty them first (git -C ${path} submodule deinit --all), or start a new branch: --from ${branch}`,
  );
}

/** The entry that can be taken over, null when there is none. */
function adoptable(
  entries: readonly WorktreeEntry[],
  path: string,
  branch: string,
  laneAt: AddWorktree["laneAt"],
): WorktreeEntry | null {
  const named = JSON.stringify(branch);
  const here = entries.find((entry) => entry.path === path) ?? null;
  if (here !== null && here.branch !== branch) {
    throw conflict(
      `${path} is a work tree of ${here.branch === null ? "a detached commit" : `branch ${JSON.stringify(here.branch)}`}, not of ${named}`,
      "choose another name, or remove that work tree",
    );
  }
  const found = here ?? entries.find((entry) => entry.branch === branch) ?? null;
  if (found === null) return null;
  if (found === entries[0]) {
    throw conflict(
      `branch ${named} is checked out in ${found.path}, the repository's main work tree`,
      `switch that to another branch (git -C ${found.path} switch <branch>), or start a new branch there: --from ${branch}`,
    );
  }
  const lane = laneAt?.(found.path) ?? null;
  if (lane !== null) {
    throw conflict(`branch ${named} is that of lane ${lane}`, `use that lane, or start a new branch: --from ${branch}`);
  }
  if (here === null && found.prunable) {
    throw conflict(
      `branch ${named} is checked out in ${found.path}`,
      "that folder is gone: run git worktree prune in the repository",
    );
  }
  if (found.prunable && found.locked !== null) {
    throw conflict(`the folder of the locked work tree ${path} is gone`, `run: git worktree unlock ${path}`);
  }
  return found;
}

/** Whatever the name may also mean: the work tree is on the branch. */
async function checkHead(own: string, branch: string): Promise<void> {
  const head = await readFile(join(own, "HEAD"), "utf8");
  if (head === `ref: refs/heads/${branch}\n`) return;
  throw new AppError({
    code: "usage.invalid",
    message: `git does not take ${JSON.stringify(branch.slice(0, 80))} for a branch`,
    hint: "rename it: git branch -m",
  });
}

/** A branch `a` and a branch `a/b` cannot be at once. */
function inTheWay(error: unknown, branch: string): unknown {
  const isTaken = hasCode(error, "git.failed") && /cannot lock ref|cannot create/.test(error.message);
  if (!isTaken) return error;
  return conflict(
    `there cannot be a branch ${JSON.stringify(branch)} beside those there are: ${error.message}`,
    "choose another branch: --branch",
  );
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
