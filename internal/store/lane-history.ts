import { AppError } from "../base/index.ts";
import type { LaneHistoryEntry } from "../lane/index.ts";
import { isForeignKey } from "./errors.ts";
import type { Feed } from "./feed.ts";
import { type HistoryRow, parseHistory } from "./parse-lane.ts";
import type { Tx } from "./tx.ts";

/** Entries kept per lane; older ones are dropped. */
export const LANE_HISTORY_MAX = 500;

/** A lane's bounded history. */
export interface LaneHistory {
  /** Appends, in one transaction with the feed's `lane.<event>`. @throws lane.not_found */
  appendHistory(id: string, entry: Omit<LaneHistoryEntry, "seq">): LaneHistoryEntry;
  /** The last `limit` entries, newest last. */
  listHistory(id: string, opts: { readonly limit: number }): readonly LaneHistoryEntry[];
}

/** The histories in `tx`. */
export function createLaneHistory(tx: Tx, feed: Feed): LaneHistory {
  const { db, path } = tx;
  const last = db.prepare<[string], { readonly seq: number | null }>(
    "SELECT max(seq) AS seq FROM lane_history WHERE lane = ?",
  );
  const insert = db.prepare("INSERT INTO lane_history VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  const prune = db.prepare("DELETE FROM lane_history WHERE lane = ? AND seq <= ?");
  const tail = db.prepare<[string, number], HistoryRow>(
    "SELECT * FROM lane_history WHERE lane = ? ORDER BY seq DESC LIMIT ?",
  );

  return {
    appendHistory: (id, entry) =>
      tx.write(() => {
        const seq = (last.get(id)?.seq ?? 0) + 1;
        const cause = entry.cause === null ? null : JSON.stringify(entry.cause);
        try {
          insert.run(id, seq, entry.atMs, entry.generation, entry.event, entry.from, entry.to, cause);
        } catch (caught) {
          if (!isForeignKey(caught)) throw caught;
          throw new AppError({ code: "lane.not_found", message: `there is no lane ${id}`, hint: "see lane ls" });
        }
        prune.run(id, seq - LANE_HISTORY_MAX);
        const { atMs, event, generation, from, to } = entry;
        feed.append({
          atMs,
          type: `lane.${event}`,
          lane: id,
          job: null,
          data: { generation, from, to, cause: entry.cause },
        });
        return { ...entry, seq };
      }),
    listHistory: (id, { limit }) =>
      tx.read(() =>
        tail
          .all(id, limit)
          .reverse()
          .map((row) => parseHistory(row, path)),
      ),
  };
}
