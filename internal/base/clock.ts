import { AppError } from "./errors.ts";

/**
 * Time as decisions see it. Deadlines use `monotonicMs`; `nowMs` is wall time, for display and records only.
 */
export interface Clock {
  /** Wall time, ms since the epoch. */
  nowMs(): number;
  /** Monotonic time in ms; only differences mean anything. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, opts: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Calls `fn` once after `ms` unless the returned function is called first. Never keeps the process alive. */
  timer(ms: number, fn: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, { signal }) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortReason(signal));
      const onAbort = () => {
        clearTimeout(timer);
        reject(abortReason(signal));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
  timer: (ms, fn) => {
    const timer = setTimeout(fn, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** The reason of an aborted signal as an Error; a reasonless abort becomes `cancelled`. */
export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  if (reason instanceof Error && reason.name !== "AbortError") return reason;
  return new AppError({ code: "cancelled", message: "cancelled", cause: reason });
}

/** Throws the signal's reason when it is aborted already. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

/**
 * Runs `fn` under a deadline composed with the caller's signal. Our own deadline becomes the error `makeError`
 * makes, so that "timed out" can be told from "cancelled".
 */
export async function withDeadline<T>(
  opts: {
    readonly ms: number;
    readonly signal?: AbortSignal | undefined;
    readonly makeError: () => Error;
    /** Whose time the deadline goes by; default is the machine's, and then the wait keeps the process alive. */
    readonly clock?: Pick<Clock, "timer"> | undefined;
  },
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const cancelTimer = (opts.clock?.timer ?? plainTimer)(opts.ms, () => deadline.abort(opts.makeError()));
  const signal = opts.signal ? AbortSignal.any([opts.signal, deadline.signal]) : deadline.signal;
  try {
    throwIfAborted(opts.signal);
    return await fn(signal);
  } catch (error) {
    if (deadline.signal.aborted && !opts.signal?.aborted) throw abortReason(deadline.signal);
    if (opts.signal?.aborted) throw abortReason(opts.signal);
    throw error;
  } finally {
    cancelTimer();
  }
}

/**
 * Waits until `work` has ended, well or not, at most `waitMs`, or until the signal aborts; what is waited for goes on. For
 * work whose failure its owner sees to. Never rejects.
 */
export async function waitAtMost(
  work: Promise<unknown>,
  opts: { readonly waitMs: number; readonly clock: Pick<Clock, "sleep">; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const timer = new AbortController();
  const signal = opts.signal ? AbortSignal.any([opts.signal, timer.signal]) : timer.signal;
  const none = () => undefined;
  await Promise.race([work.catch(none), opts.clock.sleep(opts.waitMs, { signal }).catch(none)]);
  timer.abort();
}

function plainTimer(ms: number, fn: () => void): () => void {
  const timer = setTimeout(fn, ms);
  return () => clearTimeout(timer);
}
