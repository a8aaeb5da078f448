import { lstat, mkdir, readFile } from "node:fs/promises";
import { AppError, errnoOf } from "../base/index.ts";
import type { Paths } from "./paths.ts";
import type { ConfigFile } from "./yaml-file.ts";

/** The I/O of this package: reading configuration files and making the installation's folders. */

/**
 * The configuration files that exist, in the order given.
 * @throws config.invalid when one is there but cannot be read
 */
export async function readConfigFiles(
  paths: readonly string[],
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<readonly ConfigFile[]> {
  const files: ConfigFile[] = [];
  for (const path of paths) {
    try {
      files.push({ path, text: await readFile(path, { encoding: "utf8", signal: opts.signal }) });
    } catch (caught) {
      const errno = errnoOf(caught);
      if (errno === "ENOENT" || errno === "ENOTDIR") continue;
      if (opts.signal?.aborted) throw caught;
      throw new AppError({
        code: "config.invalid",
        message: `cannot read ${path}: ${errno ?? "unknown error"}`,
        hint: "make the file readable, or move it away",
        cause: caught,
      });
    }
  }
  return files;
}

/**
 * Creates the installation's private folders (0700) and proves that they are: a real folder, ours, closed to others.
 * @throws config.invalid when a folder is a link, another user's, or open to others (as a planted folder in /tmp)
 */
export async function prepareFolders(paths: Paths, uid: number): Promise<void> {
  for (const dir of [paths.state.dir, paths.state.logs, paths.runtime.dir, paths.runtime.boot]) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const stat = await lstat(dir);
    const mode = stat.mode & 0o777;
    const wrong = !stat.isDirectory()
      ? "is not a folder"
      : stat.uid !== uid
        ? `belongs to uid ${stat.uid}, not to ${uid}`
        : (mode & 0o077) !== 0
          ? `is open to other users (mode ${mode.toString(8)})`
          : null;
    if (wrong !== null) {
      throw new AppError({
        code: "config.invalid",
        message: `${dir} ${wrong}`,
        hint:
          stat.isDirectory() && stat.uid === uid
            ? `run: chmod 700 ${dir}`
            : `move ${dir} away, or set the XDG folders elsewhere`,
        details: { dir, mode },
      });
    }
  }
}
