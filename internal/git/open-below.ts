import { closeSync, constants, openSync } from "node:fs";
import { errnoOf } from "../base/index.ts";

/** Opening files of a work tree that somebody hostile writes at the same time. Paths are bytes, one in each character. */

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** The bytes of a path. */
export const bytesOf = (path: string): Buffer => Buffer.from(path, "latin1");

/** Opens the work tree itself, which is no link. */
export function openRoot(path: string): number {
  return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/**
 * Opens folders below `root`, each from the one above and never through a link, and keeps the last one: paths come in
 * order. Null for what is no folder.
 */
export function keepFolder(root: number) {
  let last: { readonly path: string; readonly fd: number | null } = { path: "", fd: root };
  const close = () => {
    if (last.fd !== null && last.fd !== root) closeSync(last.fd);
    last = { path: "", fd: root };
  };
  const open = (path: string): number | null => {
    if (path === last.path) return last.fd;
    close();
    if (path === "") return root;
    let at = root;
    for (const name of path.split("/")) {
      const next = openAt(at, name, O_DIRECTORY);
      if (at !== root) closeSync(at);
      if (typeof next === "string") {
        last = { path, fd: null };
        return null;
      }
      at = next;
    }
    last = { path, fd: at };
    return at;
  };
  return { open, close };
}

/** A descriptor of what is not waited for and no link, or the errno why there is none. */
export function openAt(folder: number, name: string, flags: number): number | string {
  try {
    return openSync(at(folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | flags);
  } catch (caught) {
    return errnoOf(caught) ?? "EIO";
  }
}

/** What stands in an open folder under this name. */
export const at = (folder: number, name: string): Buffer =>
  Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), bytesOf(name)]);
