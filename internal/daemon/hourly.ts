import type { Logger } from "pino";
import { type Clock, TaskGroup } from "../base/index.ts";

const HOUR_MS = 3_600_000;

/** Does `act` at once and every hour; what it throws is logged, and it is done again. Disposed, it aborts and awaits it. */
export function everyHour(
  deps: { readonly clock: Clock; readonly log: Logger; readonly op: string },
  act: (opts: { readonly signal: AbortSignal }) => Promise<void>,
): AsyncDisposable {
  const { clock, log, op } = deps;
  const stop = new AbortController();
  const tasks = new TaskGroup((_, err) => log.error({ op, err }, "upkeep failed; it is tried again in an hour"));
  let stopTimer = () => {};
  const sweep = () => {
    stopTimer = clock.timer(HOUR_MS, sweep);
    tasks.run(op, () => act({ signal: stop.signal }));
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
