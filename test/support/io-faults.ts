import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

/** In the environment of a program under the shim: the control file. */
const VARIABLE = "IO_FAULTS";
const MEMORY = "/dev/shm";
/** Offsets in the control file, as in io-faults.c. */
const SIZE = 4096;
const COUNTERS = 16;
const FOLDER = 64;
const WHERE = 1088;
const TEXT = 1024;

/** How the disk fails. */
export interface DiskFault {
  readonly error: "ENOSPC" | "EIO";
  /** How many calls fail, one after the other; 0: all from there on, as on a full disk. */
  readonly lasts: number;
  /** The first failing write is a short one: done by half without an error, as on a disk that has just become full. */
  readonly torn: boolean;
}

/** All faults that are tried, the most telling ones first. */
export const DISK_FAULTS: readonly DiskFault[] = [
  { error: "ENOSPC", lasts: 0, torn: true },
  { error: "EIO", lasts: 1, torn: false },
  // Node hands on the short write, for its own second try fails; and then what is to mend that.
  { error: "ENOSPC", lasts: 2, torn: true },
  { error: "ENOSPC", lasts: 4, torn: true },
  { error: "EIO", lasts: 0, torn: false },
  { error: "ENOSPC", lasts: 1, torn: false },
];

/** The control of the shim, from inside the program under test. */
export interface IoFaults {
  /** From now on the `at`-th writing call below `folder` (a prefix of paths) fails so. */
  arm(folder: string, at: number, fault: DiskFault): void;
  /** Nothing fails any more. Says how many calls came by, how many of them failed, and the first of those. */
  disarm(): { readonly calls: number; readonly failed: number; readonly where: string };
}

/** Opens the control file that the environment names; the program runs under {@link runFaulty}. */
export function openIoFaults(): IoFaults {
  const fd = openSync(process.env[VARIABLE] ?? "", "r+");
  const put = (numbers: readonly number[], at: number) =>
    writeSync(fd, Buffer.from(Int32Array.from(numbers).buffer), 0, numbers.length * 4, at);
  return {
    arm: (folder, at, { error, lasts, torn }) => {
      writeSync(fd, Buffer.alloc(SIZE - FOLDER), 0, SIZE - FOLDER, FOLDER);
      put([at, os.constants.errno[error], lasts, Number(torn), 0, 0], 0);
      // Last: with it the counting begins.
      writeSync(fd, folder, FOLDER);
    },
    disarm: () => {
      writeSync(fd, "\0", FOLDER);
      const bytes = Buffer.alloc(SIZE);
      readSync(fd, bytes, 0, SIZE, 0);
      const where = bytes.toString("utf8", WHERE, WHERE + TEXT);
      return {
        calls: bytes.readInt32LE(COUNTERS),
        failed: bytes.readInt32LE(COUNTERS + 4),
        where: where.slice(0, where.indexOf("\0")),
      };
    },
  };
}

/** Why programs cannot be run under the shim here, or null. Setup installs the compiler (with g++). */
export function whyNoIoFaults(): string | null {
  if (process.platform !== "linux") return "io errors are injected on Linux only";
  try {
    execFileSync("gcc", ["--version"], { stdio: "ignore" });
    return null;
  } catch {
    return "no gcc to build the shim that injects io errors: run make setup";
  }
}

/**
 * Runs a TypeScript program under the shim and gives what it printed. All its temporary files lie in memory where the
 * machine has a folder for that: thousands of syncs. Rejects with its output when it fails.
 */
export async function runFaulty(script: string, args: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : os.tmpdir(), "lk-io-"));
  try {
    const shim = join(folder, "io-faults.so");
    const source = fileURLToPath(new URL("io-faults.c", import.meta.url));
    await execa("gcc", ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", shim, source, "-ldl"]);
    const control = join(folder, "control");
    writeFileSync(control, Buffer.alloc(SIZE));
    const env = { LD_PRELOAD: shim, [VARIABLE]: control, TMPDIR: folder };
    const { stdout } = await execa(process.execPath, ["--import", "tsx", script, ...args], { env });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
