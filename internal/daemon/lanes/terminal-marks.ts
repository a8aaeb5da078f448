import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A terminal that is open, or that a dead daemon has left. */
export interface TerminalMark {
  readonly mark: string;
  readonly laneId: string;
}

/** Open terminals on record, one small file each: what a dead daemon left is ended by the next one. */
export interface TerminalMarks {
  /** Before the shell is started. */
  add(one: TerminalMark): Promise<void>;
  /** Once none of its processes is left. */
  remove(mark: string): Promise<void>;
  list(): Promise<readonly TerminalMark[]>;
}

/** @param dir a folder of the running system: after a reboot there is nothing to end */
export function createTerminalMarks(dir: string): TerminalMarks {
  return {
    async add({ mark, laneId }) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(join(dir, mark), laneId, { mode: 0o600 });
    },
    remove: (mark) => rm(join(dir, mark), { force: true }),
    async list() {
      const marks = await readdir(dir).catch(() => []);
      return Promise.all(marks.map(async (mark) => ({ mark, laneId: await readFile(join(dir, mark), "utf8") })));
    },
  };
}
