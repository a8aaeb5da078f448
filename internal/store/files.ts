import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "../base/index.ts";

/**
 * Makes the folder (0700) when it is absent and the file (0600) when it is absent, and narrows an existing file to
 * 0600. SQLite gives its -wal and -shm files the mode of the database. An existing folder is left as it is.
 */
export function preparePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // A file of ours is never opened here once it exists: closing any descriptor of it would drop SQLite's locks.
  if (!existsSync(path) && createdNow(path)) return;
  chmodSync(path, 0o600);
}

/** False when another process was faster. */
function createdNow(path: string): boolean {
  try {
    closeSync(openSync(path, "wx", 0o600));
    return true;
  } catch (caught) {
    if (errnoOf(caught) === "EEXIST") return false;
    throw caught;
  }
}

/** A name of that kind which is free: `wanted`, else `wanted-<suffix>`. */
export function freeName(wanted: string, suffix: number): string {
  return existsSync(wanted) ? `${wanted}-${suffix}` : wanted;
}
