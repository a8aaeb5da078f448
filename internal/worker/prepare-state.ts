import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Folders on the lane's volume. */
export interface StateFolders {
  readonly spool: string;
  readonly home: string;
}

/**
 * Makes the folders of the lane's volume: the spool, which only the worker can enter, and the agent's home, which
 * belongs to the agent. The volume's root belongs to the worker; agents may pass through it but not look around.
 */
export function prepareState(stateDir: string, agent: { readonly uid: number; readonly gid: number }): StateFolders {
  const folders = { spool: join(stateDir, "spool"), home: join(stateDir, "home") };
  chmodSync(stateDir, 0o711);
  mkdirSync(folders.spool, { recursive: true, mode: 0o700 });
  mkdirSync(folders.home, { recursive: true, mode: 0o700 });
  const home = statSync(folders.home);
  if (home.uid !== agent.uid || home.gid !== agent.gid) chownSync(folders.home, agent.uid, agent.gid);
  return folders;
}
