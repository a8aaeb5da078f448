import { toError } from "./errors.ts";

/**
 * Counts background work so that none floats: every task's failure is reported once, and `close` waits for all.
 */
export class TaskGroup {
  readonly #running = new Set<Promise<void>>();
  readonly #onError: (name: string, error: Error) => void;

  constructor(onError: (name: string, error: Error) => void) {
    this.#onError = onError;
  }

  /** Starts `fn` in the background under `name`; a rejection goes to the group's error handler. */
  run(name: string, fn: () => Promise<void>): void {
    const task = (async () => {
      try {
        await fn();
      } catch (caught) {
        this.#onError(name, toError(caught));
      }
    })();
    this.#running.add(task);
    void task.finally(() => this.#running.delete(task));
  }

  /** How many tasks are running. */
  get size(): number {
    return this.#running.size;
  }

  /** Resolves when no task is left; abort the tasks' own signals first. */
  async close(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
