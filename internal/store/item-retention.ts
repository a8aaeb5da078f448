import type { Tx } from "./tx.ts";

/** What one step over the closed items has done. */
export interface DroppedItems {
  /** Items that are no more. */
  readonly ids: readonly string[];
  /** Where the next step begins; null when nothing older is left to look at. */
  readonly next: number | null;
}

/**
 * An item that something still goes by:
 * - a question of a job that is not over; and of one that may be tried again, when its outcome was never handed out or
 *   an attempt began with it, since the next attempt begins with it once more;
 * - a proposal that was accepted and is not queued yet;
 * - the last word on what may still be true (drift, a divergence, a login, what a repository asks for): without it the
 *   same would be said again. Failed jobs are told once, at their end.
 */
const KEPT = `CASE kind
  WHEN 'failed' THEN 0
  WHEN 'lost' THEN 0
  WHEN 'question' THEN EXISTS (
    SELECT 1 FROM jobs j WHERE j.id = i.job AND j.phase <> 'succeeded' AND (
      j.phase NOT IN ('failed', 'cancelled', 'lost') OR i.delivered = 0
      OR EXISTS (SELECT 1 FROM attempts a, json_each(a.answers) w WHERE a.job = j.n AND w.value = i.id)))
  ELSE CASE WHEN i.subject LIKE 'task:%'
    THEN EXISTS (SELECT 1 FROM tasks t WHERE t.id = substr(i.subject, 6) AND t.state = 'accepted' AND t.job IS NULL)
    ELSE NOT EXISTS (SELECT 1 FROM inbox_items o WHERE o.subject = i.subject AND o.n > i.n)
      AND (i.lane IS NULL OR EXISTS (SELECT 1 FROM lanes l WHERE l.id = i.lane)) END
  END`;

/** Drops items that have waited for nobody since `beforeMs`, out of the next `limit` closed ones after `after`. */
export function createItemRetention(tx: Tx): {
  dropClosed(opts: { readonly beforeMs: number; readonly after: number; readonly limit: number }): DroppedItems;
} {
  const { db } = tx;
  // An item is closed after it was made: from the first one that was made too late on, none can be old enough.
  const slice = db.prepare<[number, number], { readonly n: number; readonly created_at: number }>(
    "SELECT n, created_at FROM inbox_items WHERE bucket = 'done' AND n > ? ORDER BY n LIMIT ?",
  );
  const drop = db.prepare<[number, number, number], { readonly id: string }>(
    `DELETE FROM inbox_items AS i WHERE bucket = 'done' AND n > ? AND n <= ? AND changed_at < ? AND NOT (${KEPT})
     RETURNING id`,
  );
  return {
    dropClosed: ({ beforeMs, after, limit }) =>
      tx.write(() => {
        const looked = slice.all(after, limit);
        const old = looked.filter(({ created_at }) => created_at < beforeMs);
        const last = old.at(-1)?.n ?? null;
        if (last === null) return { ids: [], next: null };
        const ids = drop.all(after, last, beforeMs).map(({ id }) => id);
        return { ids, next: looked.length === limit && old.length === limit ? last : null };
      }),
  };
}
