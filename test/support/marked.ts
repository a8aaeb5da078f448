import { readdirSync, readFileSync } from "node:fs";

/** Pids of this machine's processes that carry the mark of the attempt in their environment, the lowest first. */
export function listMarked(job: string, attempt: number): readonly number[] {
  const mark = `LANEKEEPER_JOB=${job}/${attempt}`;
  return listPids().filter((pid) => readProc(pid, "environ").split("\0").includes(mark));
}

/** All pids of this machine, the lowest first. */
export function listPids(): readonly number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isSafeInteger);
  return pids.sort((a, b) => a - b);
}

/** Empty when the process is gone. */
export function readProc(pid: number, file: "cmdline" | "environ"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
