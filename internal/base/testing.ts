import { abortReason, type Clock } from "./clock.ts";

/** Time that moves only when it is told to, one timer at a time. Owns sleep and timers. */
export interface FakeClock extends Clock {
  /**
   * Moves on to the timer that is due first, runs it, and lets all that follows from it happen. False when there is no
   * timer.
   */
  step(): Promise<boolean>;
  /** Moves on by `ms`, timer by timer. */
  advance(ms: number): Promise<void>;
  /** Steps until `done` holds. @throws when it does not within `ms` of fake time, or when nothing can happen any more */
  until(done: () => boolean, ms: number): Promise<void>;
  /** Sets the wall clock forward or back; monotonic time and timers do not notice. */
  jumpWall(ms: number): void;
  /** Timers and sleeps that wait. */
  readonly pending: number;
  /** Timers and sleeps that have come to their end: how often somebody woke up. */
  readonly fired: number;
}

interface Timer {
  readonly atMs: number;
  readonly fn: () => void;
}

/** So many timers at one moment are a loop that never waits. */
const BUSY = 1000;

/** A clock whose wall time stands at `wallMs` and whose monotonic time at 0. */
export function createFakeClock(wallMs = 1_700_000_000_000): FakeClock {
  let now = 0;
  let wall = wallMs;
  const timers = new Set<Timer>();
  // Of timers due at once the one set first runs first: a Set keeps the order.
  const first = () => [...timers].reduce<Timer | null>((best, t) => (best && best.atMs <= t.atMs ? best : t), null);
  const moveTo = (atMs: number) => {
    wall += atMs - now;
    now = atMs;
  };
  const timer: Clock["timer"] = (ms, fn) => {
    const entry = { atMs: now + Math.max(0, ms), fn };
    timers.add(entry);
    return () => {
      timers.delete(entry);
    };
  };
  let fired = 0;
  let firedNow = 0;
  const fire = async (due: Timer) => {
    timers.delete(due);
    fired += 1;
    firedNow = due.atMs > now ? 0 : firedNow + 1;
    if (firedNow > BUSY) throw new Error(`a busy loop: ${BUSY} timers ran without time going on`);
    moveTo(Math.max(now, due.atMs));
    due.fn();
    await settle();
  };
  return {
    nowMs: () => wall,
    monotonicMs: () => now,
    timer,
    sleep: (ms, { signal }) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortReason(signal));
        const onAbort = () => {
          stop();
          reject(abortReason(signal));
        };
        const stop = timer(ms, () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        });
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
    step: async () => {
      await settle();
      const due = first();
      if (due) await fire(due);
      return due !== null;
    },
    advance: async (ms) => {
      const untilMs = now + ms;
      await settle();
      for (let due = first(); due && due.atMs <= untilMs; due = first()) await fire(due);
      moveTo(untilMs);
    },
    until: async (done, ms) => {
      const untilMs = now + ms;
      await settle();
      while (!done()) {
        const due = first();
        if (!due || due.atMs > untilMs) throw new Error(`did not happen within ${ms} ms: ${done.toString()}`);
        await fire(due);
      }
    },
    jumpWall: (ms) => {
      wall += ms;
    },
    get fired() {
      return fired;
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Lets everything happen that waits for nothing but promises. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
