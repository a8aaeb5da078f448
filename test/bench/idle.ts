import { readFileSync } from "node:fs";
import { join } from "node:path";
import { workerPidOf } from "./death.ts";
import { pause, summarise } from "./measure.ts";
import type { Scene } from "./scene.ts";

/** What the daemon and its lanes take while nothing happens. */
export interface IdleResult {
  readonly lanes: number;
  readonly seconds: number;
  /** Per cent of one core. */
  readonly lanedCpu: number;
  readonly lanedRssMb: number;
  /** Null when the engine's service is not the daemon's own. */
  readonly podmanCpu: number | null;
  readonly podmanRssMb: number | null;
  /** Medians over the lanes. */
  readonly workerPssMb: number;
  readonly workerRssMb: number;
  readonly conmonPssMb: number;
}

/** `getconf CLK_TCK`: 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;

/** After the last start its aftermath (cleanups, inspections) ends within this, ms. */
const CALM_MS = 3000;

/** The daemon looks for leftovers with every relist in its first minute: that is no idling yet. */
const ALERT_MS = 65_000;

/** Leaves exactly `lanes` lanes up, lets everything come to rest, and looks for `seconds`. */
export async function measureIdle(
  scene: Scene,
  opts: { readonly lanes: number; readonly seconds: number; readonly signal: AbortSignal },
): Promise<IdleResult> {
  const { api, home, libpod, status } = scene;
  const { signal } = opts;
  const up = (await api.lanes({ signal })).filter((lane) => lane.state === "ready");
  for (const lane of up.slice(opts.lanes)) await api.stop(lane.id, { signal });
  const kept = up.slice(0, opts.lanes);
  const service = status.engine.own
    ? readPid(join(home.env.XDG_RUNTIME_DIR as string, "lanekeeper/podman.sock.pid"))
    : null;
  await pause(Math.max(CALM_MS, Date.parse(status.startedAt) + ALERT_MS - Date.now()), signal);
  const before = { laned: ticksOf(status.pid), podman: service === null ? 0 : ticksOf(service), at: performance.now() };
  await pause(opts.seconds * 1000, signal);
  const seconds = (performance.now() - before.at) / 1000;
  const percent = (ticks: number) => (ticks / TICKS_PER_S / seconds) * 100;
  const lanedCpu = percent(ticksOf(status.pid) - before.laned);
  const podmanCpu = service === null ? null : percent(ticksOf(service) - before.podman);

  const memory = { workerPss: [] as number[], workerRss: [] as number[], conmonPss: [] as number[] };
  for (const { container } of kept) {
    const { pid, conmonPid } = await libpod.inspect(container ?? "", { signal });
    const worker = workerPidOf(pid);
    memory.workerPss.push(memoryMb(worker, "smaps_rollup", "Pss"));
    memory.workerRss.push(memoryMb(worker, "smaps_rollup", "Rss"));
    memory.conmonPss.push(memoryMb(conmonPid, "smaps_rollup", "Pss"));
  }
  const median = (values: readonly number[]) => summarise(values)?.median ?? 0;
  return {
    lanes: kept.length,
    seconds,
    lanedCpu,
    lanedRssMb: memoryMb(status.pid, "status", "VmRSS"),
    podmanCpu,
    podmanRssMb: service === null ? null : memoryMb(service, "status", "VmRSS"),
    workerPssMb: median(memory.workerPss),
    workerRssMb: median(memory.workerRss),
    conmonPssMb: median(memory.conmonPss),
  };
}

/** utime + stime. The name in the second field may hold blanks: fields are counted from its closing parenthesis. */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function memoryMb(pid: number, file: "status" | "smaps_rollup", field: string): number {
  const line = readFileSync(`/proc/${pid}/${file}`, "utf8").match(new RegExp(`^${field}:\\s+(\\d+) kB`, "m"));
  return Number(line?.[1] ?? Number.NaN) / 1024;
}

function readPid(file: string): number {
  return Number(readFileSync(file, "utf8").trim());
}
