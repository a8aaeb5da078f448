import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Folders on the lane's volume. */
export interface StateFolders {
  readonly spool: string;
  readonly home: string;
  /** The private git dir; empty until {@link GitGate} has it made. */
  readonly git: string;
}

/** A user by its numbers. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes the folders of the lane's volume: the spool, which only the worker can enter, and the agent's home and git
 * dir, which belong to the agent. The volume's root becomes the worker's, whoever the engine gave it to; agents may pass through
 * it but not look around.
 */
export function prepareState(stateDir: string, who: { readonly worker: Owner; readonly agent: Owner }): StateFolders {
  const folders = { spool: join(stateDir, "spool"), home: join(stateDir, "home"), git: join(stateDir, "git") };
  giveTo(stateDir, who.worker);
  chmodSync(stateDir, 0o711);
  mkdirSync(folders.spool, { recursive: true, mode: 0o700 });
  mkdirSync(folders.home, { recursive: true, mode: 0o700 });
  giveTo(folders.home, who.agent);
  // For git in the lane: not 0700, so that the worker can see whether a branch has moved.
  mkdirSync(folders.git, { recursive: true, mode: 0o755 });
  giveTo(folders.git, who.agent);
  return folders;
}

function giveTo(path: string, owner: Owner): void {
  const { uid, gid } = statSync(path);
  if (uid !== owner.uid || gid !== owner.gid) chownSync(path, owner.uid, owner.gid);
}
