import { readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTimeOf } from "../../internal/host/index.ts";

/** A run of tests that has ended without cleaning up. */
export interface DeadRun {
  readonly id: string;
  /** With all its temporary files. */
  readonly folder: string;
}

/** In a run's folder: which process it is. */
const RECORD = "run.json";
/** How the folders of runs begin. */
export const RUN_FOLDER = "lkt-";

/** Puts on record that this process runs tests in `folder`. */
export async function recordRun(folder: string, id: string): Promise<void> {
  const record = { id, pid: process.pid, startTime: startTimeOf(process.pid), pidSpace: await pidSpace() };
  await writeFile(join(folder, RECORD), JSON.stringify(record));
}

/** What the run leaves is kept for a person: no later run takes it for a dead one's. */
export function forgetRun(folder: string): Promise<void> {
  return rm(join(folder, RECORD), { force: true });
}

/**
 * Runs on record below `root` whose process is gone. One whose process cannot be judged from here (another pid namespace
 * with the same temporary folder) is none, and neither is a folder without a whole record.
 */
export async function findDeadRuns(root: string): Promise<readonly DeadRun[]> {
  const space = await pidSpace();
  const found: DeadRun[] = [];
  for (const name of await readdir(root)) {
    if (!name.startsWith(RUN_FOLDER)) continue;
    const folder = join(root, name);
    const record = parseRecord(await readFile(join(folder, RECORD), "utf8").catch(() => ""));
    if (record === null || record.pidSpace !== space) continue;
    if (startTimeOf(record.pid) !== record.startTime) found.push({ id: record.id, folder });
  }
  return found;
}

interface RunRecord {
  readonly id: string;
  readonly pid: number;
  readonly startTime: number;
  readonly pidSpace: string;
}

function parseRecord(text: string): RunRecord | null {
  try {
    const { id, pid, startTime, pidSpace } = JSON.parse(text) as Partial<RunRecord>;
    const fits = /^[0-9a-f]{12}$/.test(id ?? "") && Number.isInteger(pid) && Number.isInteger(startTime) && pidSpace;
    return fits ? ({ id, pid, startTime, pidSpace } as RunRecord) : null;
  } catch {
    return null;
  }
}

const pidSpace = (): Promise<string> => readlink("/proc/self/ns/pid").catch(() => "none");
