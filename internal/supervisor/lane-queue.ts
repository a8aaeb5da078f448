import type { Clock, TaskGroup } from "../base/index.ts";

/** What a {@link LaneQueue} works with. */
export interface LaneQueueDeps {
  readonly clock: Clock;
  readonly tasks: TaskGroup;
  /** Returns ms until the next run although nothing happens, or null. */
  readonly run: (key: string) => Promise<number | null>;
}

/**
 * Runs one function per key: duplicate wake-ups collapse, one key never runs twice at once, different keys run in
 * parallel. A wake-up during a run makes one more run afterwards.
 */
export class LaneQueue {
  readonly #entries = new Map<string, { running: boolean; again: boolean; cancelTimer: (() => void) | null }>();
  readonly #deps: LaneQueueDeps;
  #closed = false;

  constructor(deps: LaneQueueDeps) {
    this.#deps = deps;
  }

  /** Has `key` looked at as soon as it is free. */
  wake(key: string): void {
    if (this.#closed) return;
    const entry = this.#entries.get(key) ?? { running: false, again: false, cancelTimer: null };
    this.#entries.set(key, entry);
    entry.cancelTimer?.();
    entry.cancelTimer = null;
    if (entry.running) {
      entry.again = true;
      return;
    }
    entry.running = true;
    this.#deps.tasks.run(`lane ${key}`, () => this.#loop(key, entry));
  }

  async #loop(
    key: string,
    entry: { running: boolean; again: boolean; cancelTimer: (() => void) | null },
  ): Promise<void> {
    try {
      for (;;) {
        entry.again = false;
        const afterMs = await this.#deps.run(key);
        if (entry.again && !this.#closed) continue;
        if (afterMs !== null && !this.#closed)
          entry.cancelTimer = this.#deps.clock.timer(afterMs, () => this.wake(key));
        return;
      }
    } finally {
      entry.running = false;
    }
  }

  /** No further runs; a run under way is the task group's to wait for. */
  close(): void {
    this.#closed = true;
    for (const entry of this.#entries.values()) entry.cancelTimer?.();
  }
}
