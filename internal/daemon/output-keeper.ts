import type { Logger } from "pino";
import { type Clock, TaskGroup } from "../base/index.ts";
import { dropOldOutput, type Jobs, type KeepLimits } from "../store/index.ts";

/** Between two looks at what is kept, ms. */
const EVERY_MS = 3_600_000;

/** Keeps the output of ended jobs within its limits: looks at once and every hour, and logs what went. */
export function createOutputKeeper(deps: {
  readonly dir: string;
  readonly jobs: Pick<Jobs, "find" | "dropOutput">;
  readonly limits: KeepLimits;
  readonly clock: Clock;
  readonly log: Logger;
}): AsyncDisposable {
  const { dir, jobs, limits, clock, log } = deps;
  const stop = new AbortController();
  const { signal } = stop;
  const tasks = new TaskGroup((_, err) => log.error({ err }, "old output of jobs could not be removed"));
  let stopTimer = () => {};
  const sweep = () => {
    stopTimer = clock.timer(EVERY_MS, sweep);
    tasks.run("drop old output", async () => {
      const gone = await dropOldOutput({ dir, jobs, nowMs: clock.nowMs }, limits, { signal });
      for (const { job, bytes } of gone) log.info({ jobId: job, bytes, limits }, "output of an ended job removed");
    });
  };
  sweep();
  return {
    async [Symbol.asyncDispose]() {
      stopTimer();
      stop.abort();
      await tasks.close();
    },
  };
}
