import { execFile } from "node:child_process";
import { type ProcessIdentity, toIdentityArgv } from "../identity.ts";

const FIND_SCRIPT = `exec grep -lzxF -e "$1" /proc/[0-9]*/environ 2> /dev/null`;
const FIND_TIMEOUT_MS = 5000;

/**
 * Pids of the processes whose environment carries `marker`, also those that left the job's process group. Only the
 * agent's own user may read those environments, so a helper runs as that user. Resolves with none when it fails.
 */
export function findMarked(identity: ProcessIdentity, marker: string): Promise<readonly number[]> {
  const argv = [...toIdentityArgv(identity), "/bin/sh", "-c", FIND_SCRIPT, "lane-find", marker];
  const [file = "/bin/sh", ...args] = argv;
  const options = {
    env: { PATH: "/usr/bin:/bin" },
    cwd: "/",
    timeout: FIND_TIMEOUT_MS,
    maxBuffer: 1024 * 1024,
  } as const;
  return new Promise((resolve) => {
    // grep exits 1 when nothing matches and 2 when some file could not be read: what it printed counts in any case.
    execFile(file, args, options, (_error, stdout) => {
      resolve([...stdout.matchAll(/^\/proc\/(\d+)\/environ$/gm)].map((match) => Number(match[1])));
    });
  });
}
