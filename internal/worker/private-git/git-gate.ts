import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { BOOT_GIT } from "../../lane/index.ts";

/** Keeps jobs waiting while the lane's git dir is being made: once in a lane's life, some ten milliseconds. */
export interface GitGate {
  /** Null when it is there, or there is to be none; else resolves once it is made, or cannot be. */
  wait(): Promise<void> | null;
}

/** A gate before the git dir at `gitDir`, which `make` makes. */
export function createGitGate(
  dirs: { readonly bootDir: string; readonly gitDir: string },
  make: () => Promise<void>,
): GitGate {
  const isMade = () => isThere(dirs.gitDir, "HEAD") && isThere(dirs.gitDir, "index");
  let open = false;
  let making: Promise<void> | null = null;
  return {
    wait: () => {
      if (making !== null) return making;
      open ||= isMade();
      // The host writes the seed while it starts the lane, and sends no job before it is there.
      if (open || !existsSync(join(dirs.bootDir, BOOT_GIT.seed))) return null;
      making = make().finally(() => {
        making = null;
      });
      return making;
    },
  };
}

/** Not followed, and not read: the folder is the agent's. */
function isThere(dir: string, name: string): boolean {
  try {
    lstatSync(join(dir, name));
    return true;
  } catch {
    return false;
  }
}
