import type { FakeRuntime } from "../../../test/support/fake-runtime.ts";
import type { HostView, MonitorProcess } from "../ports.ts";

/** The host's processes and folders, as the fake engine's containers make them. */
export interface FakeHost extends HostView {
  /** Processes that outlive their container: pid to start time. */
  readonly lingering: Map<number, number>;
  /** Folders that are not there. */
  readonly missing: Set<string>;
  /** What `ps` shows of monitors. */
  readonly monitors: MonitorProcess[];
  readonly reaped: MonitorProcess[];
}

/** The host that `runtime` runs on. */
export function createFakeHost(runtime: FakeRuntime): FakeHost {
  const lingering = new Map<number, number>();
  const missing = new Set<string>();
  const monitors: MonitorProcess[] = [];
  const reaped: MonitorProcess[] = [];
  return {
    lingering,
    missing,
    monitors,
    reaped,
    startTime: (pid) => runtime.processes.get(pid) ?? lingering.get(pid) ?? null,
    ownerOf: async (path) => (missing.has(path) ? null : { uid: 1000, gid: 1000 }),
    listMonitors: async () => [...monitors],
    reapMonitor: async (monitor) => {
      reaped.push(monitor);
      monitors.splice(monitors.indexOf(monitor), 1);
    },
  };
}
