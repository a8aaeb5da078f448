import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, systemClock } from "../../base/index.ts";
import { startTimeOf } from "../process-table.ts";

/** In the environment of an installer's process: the staging folder that it writes to. */
export const STAGING_MARK = "LANEKEEPER_STAGING";

/** A killed process is gone within so long, ms. */
const GONE_MS = 2000;

/** Makes a staging folder below `root`. Its name tells whose it is, so that it is known for a leftover once we died. */
export function makeStaging(root: string): Promise<string> {
  return mkdtemp(join(root, `.staging-${process.pid}-${startTimeOf(process.pid) ?? 0}-`));
}

/** Removes the staging folders of processes that are gone, and ends the installers that still write to them. */
export async function sweepStaging(root: string): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    const owner = /^\.staging-(\d+)-(\d+)-/.exec(name);
    if (!owner || startTimeOf(Number(owner[1])) === Number(owner[2])) continue;
    const folder = join(root, name);
    await endInstallers(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

async function endInstallers(folder: string): Promise<void> {
  const entry = `${STAGING_MARK}=${folder}`;
  for (const pid of (await readdir("/proc")).map(Number).filter(Number.isSafeInteger)) {
    const environ = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (pid === process.pid || !environ.split("\0").includes(entry)) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch (caught) {
      if (errnoOf(caught) !== "ESRCH") throw caught;
    }
    for (let waitedMs = 0; startTimeOf(pid) !== null && waitedMs < GONE_MS; waitedMs += 20) {
      await systemClock.sleep(20, {});
    }
  }
}
