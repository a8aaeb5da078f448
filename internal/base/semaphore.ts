import { abortReason, throwIfAborted } from "./clock.ts";

/** Lets at most `limit` tasks run at once; the rest wait in order and can give up by their signal. */
export class Semaphore {
  readonly #waiting: { readonly wake: () => void }[] = [];
  readonly #limit: number;
  #running = 0;

  constructor(limit: number) {
    this.#limit = Math.max(1, Math.floor(limit));
  }

  /** Runs `fn` when there is room. Rejects with the signal's reason while waiting. */
  async run<T>(opts: { readonly signal?: AbortSignal | undefined }, fn: () => Promise<T>): Promise<T> {
    await this.#enter(opts.signal);
    try {
      return await fn();
    } finally {
      this.#running--;
      this.#waiting.shift()?.wake();
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    if (this.#running < this.#limit && this.#waiting.length === 0) {
      this.#running++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const entry = {
        wake: () => {
          signal?.removeEventListener("abort", onAbort);
          this.#running++;
          resolve();
        },
      };
      const onAbort = () => {
        const at = this.#waiting.indexOf(entry);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(abortReason(signal));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(entry);
    });
  }
}
