import { readdir, stat } from "node:fs/promises";
import { AppError, errnoOf } from "../base/index.ts";
import type { Repository } from "./describe-repository.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { listSubmodules, unshieldSubmodules } from "./submodules.ts";
import { canonicalPath, findWorktreeGitDir, listWorktrees } from "./worktree-list.ts";
import { openWorktree, type WorktreeQuery, worktreeStatus } from "./worktree-status.ts";

/** What goes with a work tree. Commits on its branch do not: the branch stays. */
export interface WorktreeLosses {
  readonly changed: readonly string[];
  readonly untracked: readonly string[];
  /** Commits of a detached HEAD that no branch or tag has. */
  readonly commits: number;
  /** Filled submodules: they are never opened on the host, so nobody knows what is in them. */
  readonly submodules: readonly string[];
}

/** Which work tree, and what somebody has seen of it. */
interface LossesQuery extends WorktreeQuery {
  /** Filled submodules into which somebody else has looked: what was found there is theirs to tell. */
  readonly lookedInto?: ReadonlySet<string> | undefined;
}

/** So many names are listed before "and n more". */
const NAMES_SHOWN = 3;

/**
 * Removes the work tree at `path` and its entry in the repository; the branch stays. One that is gone already is fine,
 * its entry is removed.
 * @returns whether anything was there
 * @throws lane.would_lose_work without `force`, with the list; git.conflict for a folder that is no linked work tree
 *   of this repository, and for a locked one
 */
export async function removeWorktree(
  git: HardenedGit,
  wanted: LossesQuery & { readonly repo: Pick<Repository, "gitDir">; readonly force: boolean },
): Promise<{ readonly removed: boolean }> {
  const { gitDir } = wanted.repo;
  const signal = wanted.signal;
  const path = await canonicalPath(wanted.path);
  const there = (await stat(path).catch(() => null)) !== null;
  if ((await findWorktreeGitDir(gitDir, path)) === null) {
    if (!there) return { removed: false };
    throw conflict(`${path} is not a linked work tree of ${gitDir}`, "remove it by hand if it is not needed");
  }
  const entry = (await listWorktrees(git, { gitDir, signal })).find((one) => one.path === path);
  if (entry?.locked != null) {
    throw conflict(
      `the work tree ${path} is locked${entry.locked === "" ? "" : `: ${entry.locked}`}`,
      `run: git worktree unlock ${path}`,
    );
  }
  if (there && !wanted.force) {
    const losses = await worktreeLosses(git, { ...wanted, path });
    if (losses !== null) throw wouldLose(path, losses);
  }
  // Always forced, our own check stands above: git's check would enter submodules, whose configuration a lane writes.
  await git({ gitDir, cwd: gitDir, signal, args: ["worktree", "remove", "--force", "--", path] });
  return { removed: true };
}

/** Gives a work tree that outlives its lane back: git enters its submodules again. One that is gone is fine. */
export async function releaseWorktree(git: HardenedGit, query: WorktreeQuery): Promise<void> {
  const own = await findWorktreeGitDir(query.repo.gitDir, await canonicalPath(query.path));
  if (own !== null) await unshieldSubmodules(git, { gitDir: own, signal: query.signal });
}

/** What removing the work tree would lose; null for nothing. */
export async function worktreeLosses(git: HardenedGit, query: LossesQuery): Promise<WorktreeLosses | null> {
  const status = await worktreeStatus(git, { ...query, base: null });
  const commits = status.branch === null ? await unreferenced(git, query, status.commit) : 0;
  const filled = await filledSubmodules(git, query);
  const submodules = filled.filter((name) => !query.lookedInto?.has(name));
  const { changed, untracked } = status;
  if (changed.length + untracked.length + commits + submodules.length === 0) return null;
  return { changed, untracked, commits, submodules };
}

/** How many ignored paths go with the work tree; a folder of nothing else counts once. */
export async function countIgnored(git: HardenedGit, query: WorktreeQuery): Promise<number> {
  const { path, gitDir } = await openWorktree(query);
  const args = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "--no-empty-directory", "-z"];
  const { stdout } = await git({ gitDir, workTree: path, cwd: path, signal: query.signal, args });
  return stdout.split("\0").filter((name) => name !== "").length;
}

/** The losses in one line: `2 uncommitted changes (a, b), 1 untracked path (c)`. */
export function renderLosses(losses: WorktreeLosses): string {
  const parts = [
    counted(losses.changed, "uncommitted change", "uncommitted changes"),
    counted(losses.untracked, "untracked path", "untracked paths"),
    losses.commits === 0 ? "" : `${losses.commits} ${losses.commits === 1 ? "commit" : "commits"} on no branch`,
    counted(losses.submodules, "submodule that was not looked into", "submodules that were not looked into"),
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function counted(names: readonly string[], one: string, many: string): string {
  if (names.length === 0) return "";
  // Quoted: the names are the agent's, and may hold anything.
  const shown = names.slice(0, NAMES_SHOWN).map((name) => (/^[\w./@+-]+$/.test(name) ? name : JSON.stringify(name)));
  const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : "";
  return `${names.length} ${names.length === 1 ? one : many} (${shown.join(", ")}${more})`;
}

async function unreferenced(git: HardenedGit, query: WorktreeQuery, commit: string): Promise<number> {
  const { gitDir } = query.repo;
  const args = ["rev-list", "--count", commit, "--not", "--branches", "--tags", "--remotes", "--"];
  return Number((await git({ gitDir, cwd: gitDir, signal: query.signal, args })).stdout);
}

/** Submodules of a work tree in whose folders there is something. They are not opened. */
export async function filledSubmodules(git: HardenedGit, query: WorktreeQuery): Promise<readonly string[]> {
  const { path, gitDir } = await openWorktree(query);
  const filled = await Promise.all(
    (await listSubmodules(git, { gitDir, signal: query.signal })).map(async (bytes) => {
      const folder = Buffer.concat([Buffer.from(`${path}/`), Buffer.from(bytes, "latin1")]);
      // Something else than a folder in its place is in no commit either.
      const isEmpty = await readdir(folder).then(
        (names) => names.length === 0,
        (error: unknown) => errnoOf(error) === "ENOENT",
      );
      return !isEmpty ? [Buffer.from(bytes, "latin1").toString("utf8")] : [];
    }),
  );
  return filled.flat();
}

function wouldLose(path: string, losses: WorktreeLosses): AppError {
  return new AppError({
    code: "lane.would_lose_work",
    message: `removing ${path} would lose ${renderLosses(losses)}`,
    hint: "commit or move them first, or repeat with --force",
    details: {
      changed: losses.changed.slice(0, 100),
      untracked: losses.untracked.slice(0, 100),
      changedCount: losses.changed.length,
      untrackedCount: losses.untracked.length,
      commits: losses.commits,
      submodules: losses.submodules,
    },
  });
}

function conflict(message: string, hint: string): AppError {
  return new AppError({ code: "git.conflict", message, hint });
}
