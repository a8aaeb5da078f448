import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { errnoOf } from "../base/index.ts";
import type { HardenedGit } from "./hardened-git.ts";

/** One work tree of a repository, as git has it on record. */
export interface WorktreeEntry {
  readonly path: string;
  /** Short name; null when detached or bare. */
  readonly branch: string | null;
  readonly commit: string | null;
  readonly bare: boolean;
  /** The reason, possibly empty; null when not locked. */
  readonly locked: string | null;
  /** Its folder is gone. */
  readonly prunable: boolean;
}

/** All work trees, the main one first. */
export async function listWorktrees(
  git: HardenedGit,
  repo: { readonly gitDir: string; readonly signal?: AbortSignal | undefined },
): Promise<readonly WorktreeEntry[]> {
  const { stdout } = await git({
    gitDir: repo.gitDir,
    cwd: repo.gitDir,
    signal: repo.signal,
    args: ["worktree", "list", "--porcelain", "-z"],
  });
  return parseWorktreeList(stdout);
}

/** Parses `git worktree list --porcelain -z`. */
export function parseWorktreeList(output: string): readonly WorktreeEntry[] {
  return output
    .split("\0\0")
    .map((record) => record.split("\0").filter((line) => line !== ""))
    .filter((lines) => lines[0]?.startsWith("worktree "))
    .map((lines) => {
      const value = (name: string): string | null => {
        const line = lines.find((text) => text === name || text.startsWith(`${name} `));
        return line === undefined ? null : line.slice(name.length + 1);
      };
      return {
        path: value("worktree") ?? "",
        branch: value("branch")?.replace(/^refs\/heads\//, "") ?? null,
        commit: value("HEAD"),
        bare: value("bare") !== null,
        locked: value("locked"),
        prunable: value("prunable") !== null,
      };
    });
}

/**
 * The private git dir of the linked work tree at `path`, or null. Found from the repository's side only: the `.git`
 * file in the work tree may be written by a lane and is not believed.
 * @param path canonical, see {@link canonicalPath}
 */
export async function findWorktreeGitDir(gitDir: string, path: string): Promise<string | null> {
  const root = join(gitDir, "worktrees");
  for (const id of await readdir(root).catch(noneWhenAbsent)) {
    const own = join(root, id);
    const text = await readFile(join(own, "gitdir"), "utf8").catch(() => null);
    if (text === null) continue;
    const worktree = dirname(resolve(own, text.replace(/\n$/, "")));
    if (worktree === path || (await canonicalPath(worktree)) === path) return own;
  }
  return null;
}

/** An absolute path with the links of its existing part resolved; the rest may not exist yet. */
export async function canonicalPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (caught) {
    if (errnoOf(caught) !== "ENOENT") throw caught;
    const parent = dirname(path);
    return parent === path ? path : join(await canonicalPath(parent), basename(path));
  }
}

function noneWhenAbsent(caught: unknown): readonly string[] {
  if (errnoOf(caught) === "ENOENT") return [];
  throw caught;
}
