import path from "node:path";

/** The workspace that a folder belongs to: its repository's, or that of its lanes' work trees; null outside all of them. */
export function workspaceAt<T extends { readonly path: string }>(workspaces: readonly T[], folder: string): T | null {
  // Worktrees stand beside the repository, in `<repo>.lanes`.
  return deepest(workspaces, ({ path: root }) => [root, `${root}.lanes`].some((one) => isWithin(one, folder)) && root);
}

/** The lane whose work tree holds a folder; null for none. */
export function laneAt<T extends { readonly worktree: string }>(lanes: readonly T[], folder: string): T | null {
  return deepest(lanes, ({ worktree }) => isWithin(worktree, folder) && worktree);
}

/** Of the things with a folder that matches, the one with the longest: nested repositories win over their parents. */
function deepest<T>(things: readonly T[], folderOf: (thing: T) => string | false): T | null {
  let best: { readonly thing: T; readonly length: number } | null = null;
  for (const thing of things) {
    const folder = folderOf(thing);
    if (folder !== false && folder.length > (best?.length ?? -1)) best = { thing, length: folder.length };
  }
  return best?.thing ?? null;
}

function isWithin(parent: string, child: string): boolean {
  const relative = path.relative(parent, child);
  return relative === "" || (relative !== ".." && !relative.startsWith("../") && !path.isAbsolute(relative));
}
