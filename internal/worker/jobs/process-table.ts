import { readdirSync, readFileSync } from "node:fs";

/** One line of the process table. `startTime` is in clock ticks since boot: with the pid it names a process for good. */
export interface ProcessEntry {
  readonly pid: number;
  readonly ppid: number;
  readonly group: number;
  readonly session: number;
  readonly startTime: number;
  /** CPU time of it and of its children that it has waited for, in clock ticks. */
  readonly cpuTicks: number;
  /** Ended, waiting for its parent to notice. */
  readonly ended: boolean;
}

/** Parses `/proc/<pid>/stat`; the name in it may hold spaces and parentheses. Null when it does not fit. */
export function parseProcStat(text: string): ProcessEntry | null {
  const nameEnd = text.lastIndexOf(")");
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(nameEnd + 2).split(" ");
  const [state, ppid, group, session] = fields;
  const startTime = Number(fields[19]);
  if (nameEnd === -1 || !Number.isInteger(pid) || !Number.isInteger(startTime) || state === undefined) return null;
  return {
    pid,
    ppid: Number(ppid),
    group: Number(group),
    session: Number(session),
    startTime,
    // utime, stime, cutime, cstime
    cpuTicks: fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0),
    ended: state === "Z" || state === "X",
  };
}

/** One process, or null when there is none of that pid. */
export function readProcess(pid: number, procDir = "/proc"): ProcessEntry | null {
  try {
    return parseProcStat(readFileSync(`${procDir}/${pid}/stat`, "utf8"));
  } catch {
    return null;
  }
}

/** Every process of this pid namespace. */
export function readProcessTable(procDir = "/proc"): readonly ProcessEntry[] {
  return readdirSync(procDir).flatMap((name) => {
    const entry = /^\d+$/.test(name) ? readProcess(Number(name), procDir) : null;
    return entry === null ? [] : [entry];
  });
}

/** A process by pid and start time. */
export type ProcessRef = Pick<ProcessEntry, "pid" | "startTime">;

/**
 * The living processes of a job: those named by `seeds` (while they are still the same processes), members of their
 * groups and sessions, and all descendants of any of these.
 */
export function membersOf(table: readonly ProcessEntry[], seeds: readonly ProcessRef[]): readonly ProcessEntry[] {
  const byPid = new Map(table.map((entry) => [entry.pid, entry]));
  // A pid that another process has by now names neither a process nor a group of ours.
  const ours = seeds.filter((seed) => (byPid.get(seed.pid)?.startTime ?? seed.startTime) === seed.startTime);
  const leaders = new Set(ours.map((seed) => seed.pid));
  const members = new Set<number>(leaders);
  for (const entry of table) if (leaders.has(entry.group) || leaders.has(entry.session)) members.add(entry.pid);
  for (let grown = true; grown; ) {
    grown = false;
    for (const entry of table) {
      if (members.has(entry.pid) || !members.has(entry.ppid)) continue;
      members.add(entry.pid);
      grown = true;
    }
  }
  return table.filter((entry) => members.has(entry.pid) && !entry.ended);
}

/** What processes have used. */
export interface ProcessUsage {
  readonly processes: number;
  /** See {@link ProcessEntry.cpuTicks}. */
  readonly cpuTicks: number;
}

/** What these processes have used together. */
export function usageOf(members: readonly ProcessEntry[]): ProcessUsage {
  return { processes: members.length, cpuTicks: members.reduce((sum, { cpuTicks }) => sum + cpuTicks, 0) };
}
