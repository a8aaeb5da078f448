import { abortReason, throwIfAborted } from "../base/index.ts";

/** Waits for the next change of one job, without missing one that comes between looking and waiting. */
export interface Waiter extends Disposable {
  /** Resolves at the next change since the last call; at once when there was one. Rejects when the signal aborts. */
  next(opts: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

/** Wakes those who follow a job. Carries no data: the woken read the store, so nobody who lags costs memory. */
export interface WakeHub {
  wake(job: string): void;
  watch(job: string): Waiter;
  /** How many watch; for leak checks. */
  readonly size: number;
}

/** An empty {@link WakeHub}. */
export function createWakeHub(): WakeHub {
  const watchers = new Map<string, Set<() => void>>();

  const watch = (job: string): Waiter => {
    let dirty = false;
    let resolveNext: (() => void) | null = null;
    const onWake = () => {
      dirty = true;
      resolveNext?.();
    };
    const set = watchers.get(job) ?? new Set();
    set.add(onWake);
    watchers.set(job, set);
    return {
      next: ({ signal }) =>
        new Promise((resolve, reject) => {
          throwIfAborted(signal);
          const settle = (done: () => void) => {
            signal?.removeEventListener("abort", onAbort);
            resolveNext = null;
            dirty = false;
            done();
          };
          const onAbort = () => settle(() => reject(abortReason(signal)));
          if (dirty) return settle(resolve);
          resolveNext = () => settle(resolve);
          signal?.addEventListener("abort", onAbort, { once: true });
        }),
      [Symbol.dispose]: () => {
        set.delete(onWake);
        if (set.size === 0 && watchers.get(job) === set) watchers.delete(job);
      },
    };
  };

  return {
    wake: (job) => {
      for (const onWake of [...(watchers.get(job) ?? [])]) onWake();
    },
    watch,
    get size() {
      return [...watchers.values()].reduce((sum, set) => sum + set.size, 0);
    },
  };
}
