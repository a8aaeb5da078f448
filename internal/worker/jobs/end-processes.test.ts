import { describe, expect, it } from "vitest";
import { type EndingDeps, endProcesses } from "./end-processes.ts";
import { membersOf, type ProcessEntry, parseProcStat, usageOf } from "./process-table.ts";

const entry = (pid: number, ppid: number, more: Partial<ProcessEntry> = {}): ProcessEntry => ({
  pid,
  ppid,
  group: pid,
  session: pid,
  startTime: pid * 10,
  cpuTicks: 0,
  ended: false,
  ...more,
});

describe("parseProcStat", () => {
  it("reads past any name", () => {
    const rest = `S 5 6 7 0 -1 4194560 1 0 0 0 50 6 700 8 20 0 1 0 ${"4711"} 1 2 3`;
    expect(parseProcStat(`12 (a) (b c) ${rest}`)).toEqual({
      pid: 12,
      ppid: 5,
      group: 6,
      session: 7,
      startTime: 4711,
      cpuTicks: 764,
      ended: false,
    });
    expect(parseProcStat(`12 (x) Z${rest.slice(1)}`)?.ended).toBe(true);
    expect(parseProcStat("")).toBeNull();
  });
});

describe("membersOf", () => {
  const table = [
    entry(1, 0),
    entry(10, 1),
    entry(11, 10),
    entry(12, 11),
    entry(13, 1, { group: 10 }),
    entry(14, 1, { session: 10 }),
    entry(15, 10, { ended: true }),
    entry(20, 1),
  ];
  const pidsOf = (seeds: readonly { readonly pid: number; readonly startTime: number }[]) =>
    membersOf(table, seeds).map(({ pid }) => pid);

  it("finds descendants, the group and the session, and no dead", () => {
    expect(pidsOf([{ pid: 10, startTime: 100 }])).toEqual([10, 11, 12, 13, 14]);
  });

  it("never takes another process of the same pid", () => {
    expect(pidsOf([{ pid: 10, startTime: 99 }])).toEqual([]);
    // Its leader is gone, the group is still ours.
    expect(membersOf([entry(13, 1, { group: 10 })], [{ pid: 10, startTime: 100 }]).length).toBe(1);
  });
});

it("adds up what processes have used", () => {
  expect(usageOf([])).toEqual({ processes: 0, cpuTicks: 0 });
  expect(usageOf([entry(10, 1, { cpuTicks: 7 }), entry(11, 10, { cpuTicks: 5 })])).toEqual({
    processes: 2,
    cpuTicks: 12,
  });
});

/** A world in which processes die of what they do not resist. */
function world(
  processes: readonly (ProcessEntry & { readonly marked?: boolean; readonly dies?: readonly string[] })[],
) {
  let alive = [...processes];
  let nowMs = 0;
  const log: string[] = [];
  const deps: EndingDeps = {
    clock: {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      timer: () => () => {},
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    ladder: [
      { signal: "SIGINT", waitMs: 10_000 },
      { signal: "SIGTERM", waitMs: 10_000 },
    ],
    readTable: () => alive,
    findMarked: async () => alive.filter(({ marked }) => marked).map(({ pid }) => pid),
    kill: (pid, signal) => {
      log.push(`${signal} ${pid}`);
      alive = alive.filter((it) => it.pid !== pid || !(signal === "SIGKILL" || it.dies?.includes(signal)));
    },
    onSignal: (signal) => log.push(`--${signal} at ${Math.round(nowMs / 1000)}`),
  };
  return { deps, log, alive: () => alive.map(({ pid }) => pid), fork: (it: ProcessEntry) => alive.push(it) };
}

describe("endProcesses", () => {
  const root = { pid: 10, startTime: 100 };

  it("stops at the first signal that leaves nothing", async () => {
    const lane = world([entry(10, 1, { dies: ["SIGINT"] } as object), entry(99, 1)]);
    await endProcesses(root, lane.deps).done;
    expect(lane.log).toEqual(["--SIGINT at 0", "SIGINT 10"]);
    expect(lane.alive()).toEqual([99]);
  });

  it("climbs to KILL after 10 s and 10 s, also for what left the group", async () => {
    const escaped = { ...entry(30, 1), marked: true };
    const lane = world([entry(10, 1), escaped, entry(31, 30), entry(99, 1)]);
    await endProcesses(root, lane.deps).done;
    expect(lane.log.filter((line) => line.startsWith("--"))).toEqual([
      "--SIGINT at 0",
      "--SIGTERM at 10",
      "--SIGKILL at 20",
    ]);
    expect(lane.alive()).toEqual([99]);
  });

  it("takes 2 s a step once it has to hurry", async () => {
    const lane = world([entry(10, 1)]);
    const ending = endProcesses(root, lane.deps);
    ending.hurry();
    await ending.done;
    expect(lane.log.filter((line) => line.startsWith("--"))).toEqual([
      "--SIGINT at 0",
      "--SIGTERM at 2",
      "--SIGKILL at 4",
    ]);
  });

  it("does nothing when nothing is left", async () => {
    const lane = world([entry(99, 1)]);
    await endProcesses(root, lane.deps).done;
    expect(lane.log).toEqual([]);
  });
});
