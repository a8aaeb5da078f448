import { type Change, parseChanges } from "./diff-parse.ts";
import { GITLINK } from "./flag-files.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { bringLfsObjects } from "./lfs-objects.ts";
import type { HostWorktree } from "./refresh-index.ts";
import { shieldSubmodules } from "./submodules.ts";

/** What HEAD of a work tree has otherwise than the commit it was moved on from. */
export async function changesSince(git: HardenedGit, worktree: HostWorktree, from: string): Promise<readonly Change[]> {
  const { gitDir } = worktree;
  const how = ["-r", "--raw", "-z", "--no-abbrev", "--no-renames", "--ignore-submodules=none"];
  const { stdout } = await git({ gitDir, cwd: gitDir, bytes: true, args: ["diff-tree", ...how, from, "HEAD", "--"] });
  return parseChanges(stdout);
}

/** Brings the contents of new files of git-lfs from the work tree. What cannot be brought is told of at a removal. */
export async function bringContents(
  git: HardenedGit,
  worktree: HostWorktree,
  query: { readonly gitDir: string; readonly changes: readonly Change[] },
): Promise<void> {
  const files = query.changes
    .filter(({ newMode }) => newMode.startsWith("100"))
    .map(({ path, newBlob }) => ({ path, blob: newBlob }));
  await bringLfsObjects(git, { gitDir: query.gitDir, worktree: worktree.path, files }).catch(() => undefined);
}

/** Has plain git leave submodules alone that came or moved with these changes; the index has them by now. */
export async function shieldNew(git: HardenedGit, worktree: HostWorktree, changes: readonly Change[]): Promise<void> {
  if (changes.some(({ newMode }) => newMode === GITLINK)) await shieldSubmodules(git, { gitDir: worktree.gitDir });
}
