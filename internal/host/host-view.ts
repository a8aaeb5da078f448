import { stat } from "node:fs/promises";
import { execa } from "execa";
import { errnoOf, toError } from "../base/index.ts";
import { listMonitors, type MonitorProcess, startTimeOf } from "./process-table.ts";

/** The host's own view of processes and files. `runtimes` are the OCI runtimes that may hold a forgotten container. */
export function createHostView(settings: { readonly runtimes: readonly string[] }) {
  return {
    startTime: startTimeOf,

    /** Owner of a folder, or null when it is not there. */
    async ownerOf(path: string): Promise<{ readonly uid: number; readonly gid: number } | null> {
      try {
        const info = await stat(path);
        return info.isDirectory() ? { uid: info.uid, gid: info.gid } : null;
      } catch (caught) {
        const errno = errnoOf(caught);
        if (errno === "ENOENT" || errno === "ENOTDIR") return null;
        throw toError(caught);
      }
    },

    listMonitors: (install: string): Promise<readonly MonitorProcess[]> => listMonitors(`lane-${install}-`),

    /**
     * Ends what an orphaned monitor holds: first the runtime's container (a parked `runc init` that Podman forgot), then
     * the monitor itself, and only while it is still that very process.
     */
    async reapMonitor(monitor: MonitorProcess, opts: { readonly signal?: AbortSignal | undefined }): Promise<void> {
      for (const runtime of settings.runtimes) {
        await execa(runtime, ["delete", "--force", monitor.containerId], {
          reject: false,
          stdio: "ignore",
          timeout: 10_000,
          ...(opts.signal ? { cancelSignal: opts.signal } : {}),
        });
      }
      if (startTimeOf(monitor.pid) === monitor.startTime) process.kill(monitor.pid, "SIGKILL");
    },
  };
}
