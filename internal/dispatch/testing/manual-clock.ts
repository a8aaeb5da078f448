import { abortReason, type Clock } from "../../base/index.ts";

/** Time that moves only when it is told to. */
export interface ManualClock extends Clock {
  /** Moves time on, running what falls due, in order. */
  advance(ms: number): void;
  readonly timers: number;
}

/** A clock that stands at `startMs`. */
export function createManualClock(startMs = 1_700_000_000_000): ManualClock {
  let now = startMs;
  const timers = new Set<{ readonly at: number; readonly fn: () => void }>();
  const timer = (ms: number, fn: () => void) => {
    const entry = { at: now + ms, fn };
    timers.add(entry);
    return () => {
      timers.delete(entry);
    };
  };
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    timer,
    sleep: (ms, { signal }) =>
      new Promise((resolve, reject) => {
        const stop = timer(ms, resolve);
        signal?.addEventListener("abort", () => {
          stop();
          reject(abortReason(signal));
        });
      }),
    advance: (ms) => {
      const until = now + ms;
      for (;;) {
        const due = [...timers].filter((entry) => entry.at <= until).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers.delete(due);
        now = due.at;
        due.fn();
      }
      now = until;
    },
    get timers() {
      return timers.size;
    },
  };
}
