import { readFile, realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { errnoOf } from "../base/index.ts";

/**
 * The git dir of the repository whose main work tree, or that as a bare one, is at `path`, found without git: asked
 * often. Null when there is none any more. Only for paths that {@link describeRepository} has accepted.
 */
export async function locateGitDir(path: string): Promise<string | null> {
  try {
    const marker = join(path, ".git");
    if ((await stat(marker).catch(() => null)) === null && (await stat(join(path, "HEAD"))).isFile()) {
      return (await stat(join(path, "objects"))).isDirectory() ? await realpath(path) : null;
    }
    if ((await stat(marker)).isDirectory()) return await realpath(marker);
    const named = /^gitdir: (.+)\n?$/.exec(await readFile(marker, "utf8"))?.[1];
    return named === undefined ? null : await realpath(resolve(path, named));
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT" || errnoOf(caught) === "ENOTDIR") return null;
    throw caught;
  }
}
