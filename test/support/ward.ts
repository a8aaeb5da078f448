import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startTimeOf } from "../../internal/host/index.ts";
import type { ApiHistoryEntry, ApiJob, ApiJobEvent, ApiLane } from "../../internal/protocol/api.ts";
import { callApi } from "./api.ts";
import { eventually, type Installation } from "./installation.ts";
import { inspectContainer } from "./podman.ts";

/** How long anything may take on a machine that is busy with other things, ms. */
const PATIENCE_MS = 60_000;

/** A process of a container that cannot be mistaken for another. */
export interface HostProcess {
  readonly pid: number;
  readonly startTime: number;
}

/** The host's view of a lane's processes: the container's first one (its init), the worker below it, the monitor. */
export interface LaneProcesses {
  readonly main: HostProcess;
  readonly worker: HostProcess;
  readonly monitor: HostProcess;
}

/** A lane that is being hurt or changed, and what is to be seen of it. */
export interface Ward {
  readonly name: string;
  /** As it was when it had just been made. */
  readonly born: ApiLane;
  /** From the daemon's memory: no git, no container is looked at. */
  now(): Promise<ApiLane>;
  /** Waits until `test` holds, and gives the lane as it is then. */
  until(what: string, test: (lane: ApiLane) => boolean, withinMs?: number): Promise<ApiLane>;
  /** Waits until it is ready with a generation of at least this. */
  readyAs(generation: number, withinMs?: number): Promise<ApiLane>;
  /** What `lane history` says: oldest first. */
  history(): Promise<ApiHistoryEntry[]>;
  /** The codes of all causes in its history, oldest first. */
  causes(): Promise<string[]>;
  processes(): Promise<LaneProcesses>;
  /** Runs a job that writes a line to the worktree's `ledger.txt` when it starts and one when it ends. */
  startJob(opts?: { readonly seconds?: number }): Promise<ApiJob>;
  job(id: string): Promise<ApiJob>;
  /** The lines that jobs have written, in order. */
  ledger(): Promise<string[]>;
  /** Waits for the job's end; gives it with its log. */
  ended(id: string): Promise<{ readonly job: ApiJob; readonly events: readonly ApiJobEvent[] }>;
}

/** Adds a lane and waits until it is ready. `settings` as in `lane set`. */
export async function newWard(home: Installation, name: string, settings: readonly string[] = []): Promise<Ward> {
  const born = await home.json<ApiLane>(["add", name, ...settings.flatMap((setting) => ["--set", setting])]);
  return wardOf(home, born);
}

/** The lane `born` as a ward. */
export function wardOf(home: Installation, born: ApiLane): Ward {
  const { name } = born;
  const now = async () => {
    const lane = (await callApi<ApiLane[]>(home, "GET", "/v1/lanes")).find((one) => one.id === born.id);
    if (!lane) throw new Error(`lane ${name} is gone`);
    return lane;
  };
  const history = () => home.json<ApiHistoryEntry[]>(["history", name, "-n", "500"]);
  const until: Ward["until"] = async (what, test, withinMs = PATIENCE_MS) => {
    let last: ApiLane | null = null;
    try {
      return await eventually(
        async () => {
          last = await now();
          return test(last) ? last : null;
        },
        { what: `lane ${name}: ${what}`, withinMs },
      );
    } catch (error) {
      const lines = (await history()).map(
        (e) => `${e.event} ${e.from}->${e.to} ${e.cause?.code ?? ""} ${e.cause?.message ?? ""}`,
      );
      throw new Error(`${String(error)}; it is ${JSON.stringify(last)}\n${lines.join("\n")}`, { cause: error });
    }
  };
  const job = (id: string) => callApi<ApiJob>(home, "GET", `/v1/jobs/${id}`);
  const ledger = async () =>
    (await readFile(join(born.worktree, "ledger.txt"), "utf8").catch(() => "")).split("\n").filter(Boolean);
  return {
    name,
    born,
    now,
    until,
    history,
    job,
    ledger,
    readyAs: (generation, withinMs) =>
      until(`ready as generation ${generation}`, (l) => l.state === "ready" && l.generation >= generation, withinMs),
    causes: async () => (await history()).flatMap((entry) => (entry.cause ? [entry.cause.code] : [])),
    processes: async () => processesOf(born.containerName),
    async startJob({ seconds = 600 } = {}) {
      const script = `echo start >> ledger.txt; sleep ${seconds}; echo end >> ledger.txt`;
      const made = await home.json<ApiJob>(["run", name, "--detach", "--", "sh", "-c", script]);
      await eventually(async () => (await ledger()).length > 0, {
        what: `the start of job ${made.id}`,
        withinMs: PATIENCE_MS,
      });
      return made;
    },
    async ended(id) {
      const ends = ["succeeded", "failed", "cancelled", "lost"];
      const end = await eventually(
        async () => {
          const seen = await job(id);
          return ends.includes(seen.state) ? seen : null;
        },
        { what: `the end of job ${id}`, withinMs: PATIENCE_MS },
      );
      const log = (await home.lane(["job", "events", id])).stdout.trim().split("\n");
      return { job: end, events: log.map((line) => JSON.parse(line) as ApiJobEvent) };
    },
  };
}

async function processesOf(containerName: string): Promise<LaneProcesses> {
  const { State } = await inspectContainer(containerName);
  const worker = childrenOf(State.Pid).find((pid) => readProc(pid, "cmdline").includes("lane-worker"));
  if (worker === undefined) throw new Error(`no worker below ${State.Pid}`);
  return { main: identify(State.Pid), worker: identify(worker), monitor: identify(State.ConmonPid) };
}

/** The process behind a pid that runs now. */
export function identify(pid: number): HostProcess {
  const startTime = startTimeOf(pid);
  if (startTime === null) throw new Error(`no process ${pid}`);
  return { pid, startTime };
}

/** Does that very process still run? */
export function lives(process: HostProcess): boolean {
  return startTimeOf(process.pid) === process.startTime;
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isSafeInteger);
  return pids.filter((pid) => new RegExp(`^PPid:\\s+${parent}$`, "m").test(readProc(pid, "status")));
}

function readProc(pid: number, file: "cmdline" | "status"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
