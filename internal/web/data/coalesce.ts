/** Many wishes, few deeds. */
export interface Coalesced {
  /** Has the deed done soon; while it is under way, once more after it. */
  wish(): void;
}

/**
 * Does `deed` at most once at a time, `quietMs` after the first wish that it has not served yet. A deed that fails is not
 * done again by itself: the next wish, or the next connection, asks for it. `deed` reports its own failures.
 */
export function coalesce(deed: () => Promise<void>, quietMs: number): Coalesced {
  let wished = false;
  let busy = false;
  const start = () => {
    busy = true;
    setTimeout(async () => {
      wished = false;
      await deed().catch(() => undefined);
      busy = false;
      if (wished) start();
    }, quietMs);
  };
  return {
    wish() {
      wished = true;
      if (!busy) start();
    },
  };
}
