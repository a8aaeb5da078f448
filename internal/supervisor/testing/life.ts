import type { Clock } from "../../base/index.ts";

/**
 * One life of the daemon's process: every port is handed out through it, and a killed process does nothing any more.
 * Calls that were made take effect, but what they return is never seen: an asynchronous one never settles, a
 * synchronous one throws (or says nothing, on ports that do not count); whatever is tried afterwards changes nothing.
 */
export interface Life {
  readonly isAlive: boolean;
  /** Calls that counted so far, as `runtime.createContainer`. */
  readonly calls: readonly string[];
  readonly clock: Clock;
  kill(): void;
  /** Kills right after the n-th call that counts, from 1. */
  killAfter(n: number): void;
  /** The port as this process sees it. */
  port<T extends object>(name: string, port: T, how: PortManner): T;
}

/** How a port behaves under {@link Life}. */
export interface PortManner {
  /** Its calls count as moments to be killed at. */
  readonly counts: boolean;
  /** All methods, or these, answer at once instead of by a promise. */
  readonly sync: boolean | readonly string[];
  /** Called after each call has taken effect. */
  readonly after?: () => void;
}

/** Thrown into a killed process. */
class Killed extends Error {}

/** A life that begins now; `onDeath` is called when it ends by a kill. */
export function createLife(clock: Clock, onDeath: () => void): Life {
  const calls: string[] = [];
  const timers = new Set<() => void>();
  let isAlive = true;
  let fatal = Number.POSITIVE_INFINITY;
  const kill = () => {
    if (!isAlive) return;
    isAlive = false;
    for (const cancel of timers) cancel();
    onDeath();
  };
  const never = () => new Promise<never>(() => undefined);

  function call(name: string, run: () => unknown, how: PortManner, isSync: boolean): unknown {
    if (!isAlive) {
      if (!isSync) return never();
      if (how.counts) throw new Killed();
      return null;
    }
    const n = how.counts ? calls.push(name) : 0;
    const finish = () => {
      how.after?.();
      if (n === fatal) kill();
    };
    if (isSync) {
      const value = run();
      finish();
      if (!isAlive && how.counts) throw new Killed();
      return value;
    }
    const settled = (run() as Promise<unknown>).finally(finish);
    return settled.then(
      (value) => (isAlive ? value : never()),
      (error) => (isAlive ? Promise.reject(error) : never()),
    );
  }

  return {
    get isAlive() {
      return isAlive;
    },
    calls,
    kill,
    killAfter: (n) => {
      fatal = n;
    },
    port: <T extends object>(name: string, port: T, how: PortManner): T =>
      new Proxy(port, {
        get: (target, key) => {
          const member: unknown = Reflect.get(target, key, target);
          if (typeof member !== "function" || typeof key !== "string") return member;
          const isSync = typeof how.sync === "boolean" ? how.sync : how.sync.includes(key);
          return (...args: unknown[]) => call(`${name}.${key}`, () => member.apply(target, args), how, isSync);
        },
      }),
    clock: {
      nowMs: clock.nowMs,
      monotonicMs: clock.monotonicMs,
      timer: (ms, fn) => {
        if (!isAlive) return () => undefined;
        const cancel = clock.timer(ms, () => {
          timers.delete(cancel);
          if (isAlive) fn();
        });
        timers.add(cancel);
        return () => {
          timers.delete(cancel);
          cancel();
        };
      },
      sleep: (ms, opts) => {
        if (!isAlive) return never();
        const over = new AbortController();
        const cancel = () => over.abort();
        timers.add(cancel);
        const signal = opts.signal ? AbortSignal.any([opts.signal, over.signal]) : over.signal;
        return clock.sleep(ms, { signal }).then(
          () => void timers.delete(cancel),
          (error) => {
            timers.delete(cancel);
            return isAlive ? Promise.reject(error) : never();
          },
        );
      },
    },
  };
}
