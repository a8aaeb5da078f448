/** A wish to cancel that waits for its worker. */
export interface CancelWait {
  /** Monotonic ms of the wish, or of the worker's last sign that it carries it out. */
  readonly sinceMs: number;
  /** Steps of the ending that the worker has confirmed (`cancelling`). */
  readonly signs: number;
}

/** An attempt that is to be cancelled, as it is now. */
export interface CancelSeen {
  /** `<job>/<attempt>`. */
  readonly key: string;
  /** As {@link CancelWait.signs}. */
  readonly signs: number;
}

/**
 * Moves the clocks of all wishes on. A wish's clock runs from the moment it was made and starts anew with each step
 * that the worker confirms, with nothing else: not with a link that comes and goes, nor with a worker that answers pings.
 * `overdue` are those whose clock has run out; it starts anew for them, so that what is done about it is done again.
 */
export function moveCancelClocks(
  known: ReadonlyMap<string, CancelWait>,
  seen: readonly CancelSeen[],
  at: { readonly nowMs: number; readonly limitMs: number },
): { readonly waits: ReadonlyMap<string, CancelWait>; readonly overdue: readonly string[] } {
  const { nowMs, limitMs } = at;
  const waits = new Map<string, CancelWait>();
  const overdue: string[] = [];
  for (const { key, signs } of seen) {
    const before = known.get(key);
    const isOverdue = before !== undefined && before.signs === signs && nowMs - before.sinceMs >= limitMs;
    if (isOverdue) overdue.push(key);
    const goesOn = before !== undefined && before.signs === signs && !isOverdue;
    waits.set(key, goesOn ? before : { sinceMs: nowMs, signs });
  }
  return { waits, overdue };
}
