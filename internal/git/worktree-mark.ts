import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalPath, findWorktreeGitDir } from "./worktree-list.ts";

/** In a work tree's own git dir, where no lane can write: the commit at which we made the work tree. */
const MARK = "lanekeeper-start";

/** Puts on record that we have made this work tree. */
export async function markMade(own: string, commit: string): Promise<void> {
  await writeFile(join(own, MARK), `${commit}\n`);
}

/** As {@link startOf}, by the work tree's path; null also when it is not there any more. */
export async function startOfWorktree(repo: { readonly gitDir: string }, path: string): Promise<string | null> {
  const own = await findWorktreeGitDir(repo.gitDir, await canonicalPath(path));
  return own === null ? null : startOf(own);
}

/** The commit at which we have made the work tree; null for one that was there before its lane. */
export async function startOf(own: string): Promise<string | null> {
  const text = await readFile(join(own, MARK), "utf8").catch(() => "");
  return /^([0-9a-f]{40,64})\n$/.exec(text)?.[1] ?? null;
}
