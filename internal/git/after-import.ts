import { type Change, parseChanges } from "./diff-parse.ts";
import { GITLINK } from "./flag-files.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { bringLfsObjects } from "./lfs-objects.ts";
import type { HostWorktree } from "./refresh-index.ts";
import { shieldSubmodules } from "./submodules.ts";

/** What one commit has otherwise than another one, file by file. */
export async function changesBetween(
  git: HardenedGit,
  query: { readonly gitDir: string; readonly from: string; readonly to: string },
): Promise<readonly Change[]> {
  const { gitDir, from, to } = query;
  const how = ["-r", "--raw", "-z", "--no-abbrev", "--no-renames", "--ignore-submodules=none"];
  const { stdout } = await git({ gitDir, cwd: gitDir, bytes: true, args: ["diff-tree", ...how, from, to, "--"] });
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
