import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** State and start time of a pid, from its `stat` line. */
interface ProcStat {
  readonly state: string;
  readonly startTime: number;
}

/**
 * Parses a line of `/proc/<pid>/stat`. The command's name stands in parentheses and may itself hold parentheses and
 * blanks, so the fields are counted from the last closing one (proc(5): state is field 3, starttime field 22).
 */
export function parseProcStat(line: string): ProcStat | null {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  const startTime = Number(fields[19]);
  return state && Number.isFinite(startTime) ? { state, startTime } : null;
}

/** Start time of a pid in clock ticks since boot, or null when there is none. A zombie counts as gone. */
export function startTimeOf(pid: number): number | null {
  try {
    const stat = parseProcStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return stat && stat.state !== "Z" && stat.state !== "X" ? stat.startTime : null;
  } catch {
    return null;
  }
}

/** A conmon process seen on the host. */
export interface MonitorProcess {
  readonly pid: number;
  readonly startTime: number;
  readonly containerId: string;
  readonly containerName: string;
}

/** Reads a conmon command line: `-c ID` is the container, `-n NAME` its name. Null for anything else. */
export function parseMonitor(cmdline: string): { readonly containerId: string; readonly containerName: string } | null {
  const argv = cmdline.split("\0");
  if (!/(^|\/)conmon$/.test(argv[0] ?? "")) return null;
  const after = (flag: string): string => argv[argv.indexOf(flag) + 1] ?? "";
  const [containerId, containerName] = [after("-c"), after("-n")];
  return /^[0-9a-f]{64}$/.test(containerId) && containerName ? { containerId, containerName } : null;
}

/** All monitors whose container's name starts with `prefix`. */
export async function listMonitors(prefix: string): Promise<readonly MonitorProcess[]> {
  const found: MonitorProcess[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const cmdline = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    const monitor = cmdline.includes("conmon") ? parseMonitor(cmdline) : null;
    const startTime = startTimeOf(Number(name));
    if (monitor?.containerName.startsWith(prefix) && startTime !== null)
      found.push({ ...monitor, pid: Number(name), startTime });
  }
  return found;
}
