import type { Logger } from "pino";
import type { Clock } from "../base/index.ts";
import { dropOldOutput, type Jobs, type KeepLimits } from "../store/index.ts";
import { everyHour } from "./hourly.ts";

/** Keeps the output of ended jobs within its limits: looks at once and every hour, and logs what went. */
export function createOutputKeeper(deps: {
  readonly dir: string;
  readonly jobs: Pick<Jobs, "find" | "dropOutput">;
  readonly limits: KeepLimits;
  readonly clock: Clock;
  readonly log: Logger;
}): AsyncDisposable {
  const { dir, jobs, limits, clock, log } = deps;
  return everyHour({ clock, log, op: "drop old output" }, async (opts) => {
    const gone = await dropOldOutput({ dir, jobs, nowMs: clock.nowMs }, limits, opts);
    for (const { job, bytes } of gone) log.info({ jobId: job, bytes, limits }, "output of an ended job removed");
  });
}
