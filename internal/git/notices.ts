import type { HardenedGit } from "./hardened-git.ts";

/**
 * What a person should know of a work tree whose files are not all in the repository: submodules are empty at first, and
 * files of git-lfs stay pointers, since no program of the repository's choice is run on the host.
 * @param own the work tree's own git dir
 */
export async function noticesOf(
  git: HardenedGit,
  own: string,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<readonly string[]> {
  const patterns = ["-e", "filter=lfs", "-e", "^\\[submodule"];
  const args = ["grep", "--cached", "-I", "-l", "-z", ...patterns, "--", ":(glob)**/.gitattributes", ".gitmodules"];
  const found = await git({ gitDir: own, cwd: own, signal: opts.signal, args, okExits: [0, 1] });
  const names = found.stdout.split("\0").filter((name) => name !== "");
  const lfs = "files of git-lfs are pointers in this lane: with git-lfs in its image, run `git lfs pull` in the lane";
  const modules =
    "submodules are empty at first: run `git submodule update --init` in the lane, where it can reach them";
  return [
    ...(names.some((name) => name !== ".gitmodules") ? [lfs] : []),
    ...(names.includes(".gitmodules") ? [modules] : []),
  ];
}
