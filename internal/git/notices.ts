import type { HardenedGit } from "./hardened-git.ts";

const PATTERNS = ["-e", "filter=lfs", "-e", "^\\[submodule", "-e", 'url *= *"\\{0,1\\}\\.\\.\\{0,1\\}/'];

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
  const args = ["grep", "--cached", "-I", "-z", ...PATTERNS, "--", ":(glob)**/.gitattributes", ".gitmodules"];
  const found = await git({ gitDir: own, cwd: own, signal: opts.signal, args, okExits: [0, 1] });
  const lines = found.stdout.split("\n").filter((line) => line !== "");
  const ofModules = lines.filter((line) => line.startsWith(".gitmodules\0"));
  const remote = "`git remote add origin <address of this repository>`, then ";
  const lfs = `files of git-lfs are pointers in this lane: with git-lfs in its image, run ${remote}\`git lfs pull\` in the lane`;
  // A relative address is meant from the repository's own.
  const first = ofModules.some((line) => !line.includes("[submodule")) ? remote : "";
  const modules = `submodules are empty at first: run ${first}\`git submodule update --init\` in the lane, where it can reach them; on the host, git leaves them alone in this worktree`;
  return [...(lines.length > ofModules.length ? [lfs] : []), ...(ofModules.length > 0 ? [modules] : [])];
}
