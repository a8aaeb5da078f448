import { parseJson } from "./parse-stored.ts";
import type { Tx } from "./tx.ts";

/** Entries kept; older ones are dropped. A reader that comes back later than that has to re-read what it shows. */
export const FEED_MAX = 100_000;
/** Pruned once per so many entries, so that appending stays cheap. */
const PRUNE_EVERY = 1000;

/** One entry of the installation's feed: `type` is `lane.<event>`, `job.<phase>` or `workspace.<act>`. */
export interface FeedEntry {
  /** 1, 2, 3, ... over everything. */
  readonly seq: number;
  readonly atMs: number;
  readonly type: string;
  readonly lane: string | null;
  readonly job: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The installation's feed. */
export interface Feed {
  /** Adds an entry; part of the running transaction if there is one. */
  append(entry: Omit<FeedEntry, "seq">): FeedEntry;
  /** Entries after `seq`, oldest first. */
  readAfter(seq: number, limit: number): readonly FeedEntry[];
  /** The last `limit` entries of one lane, oldest first. */
  lastOf(lane: string, limit: number): readonly FeedEntry[];
  /** The newest number; 0 when nothing was ever appended. */
  latest(): number;
  /** The oldest number still there; 0 when there is none. A reader further back than that has missed entries. */
  oldest(): number;
  /** Calls `fn` with each new entry after its commit, in order; returns the way out. `fn` must not block. */
  subscribe(fn: (entry: FeedEntry) => void): () => void;
}

interface FeedRow {
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly lane: string | null;
  readonly job: string | null;
  readonly data: string;
}

/** The feed in `tx`. `onError` hears of subscribers that threw. */
export function createFeed(tx: Tx, onError: (error: unknown) => void): Feed {
  const { db, path } = tx;
  const toEntry = (row: FeedRow) => parseEntry(row, path);
  const insert = db.prepare("INSERT INTO feed (at, type, lane, job, data) VALUES (?, ?, ?, ?, ?)");
  const prune = db.prepare("DELETE FROM feed WHERE seq <= ?");
  const after = db.prepare<[number, number], FeedRow>("SELECT * FROM feed WHERE seq > ? ORDER BY seq LIMIT ?");
  const lastOfLane = db.prepare<[string, number], FeedRow>(
    "SELECT * FROM feed WHERE lane = ? ORDER BY seq DESC LIMIT ?",
  );
  const bounds = db.prepare<[], { readonly lo: number | null; readonly hi: number | null }>(
    "SELECT (SELECT min(seq) FROM feed) AS lo, (SELECT max(seq) FROM feed) AS hi",
  );
  const subscribers = new Set<(entry: FeedEntry) => void>();

  const publish = (entry: FeedEntry) => {
    for (const fn of [...subscribers]) {
      try {
        fn(entry);
      } catch (caught) {
        onError(caught);
      }
    }
  };

  return {
    append: (entry) =>
      tx.write(() => {
        const { lastInsertRowid } = insert.run(
          entry.atMs,
          entry.type,
          entry.lane,
          entry.job,
          JSON.stringify(entry.data),
        );
        const seq = Number(lastInsertRowid);
        if (seq % PRUNE_EVERY === 0) prune.run(seq - FEED_MAX);
        const stored: FeedEntry = { ...entry, seq };
        if (subscribers.size > 0) tx.afterCommit(() => publish(stored));
        return stored;
      }),
    readAfter: (seq, limit) => tx.read(() => after.all(seq, limit).map(toEntry)),
    lastOf: (lane, limit) => tx.read(() => lastOfLane.all(lane, limit).reverse().map(toEntry)),
    latest: () => tx.read(() => bounds.get()?.hi ?? 0),
    oldest: () => tx.read(() => bounds.get()?.lo ?? 0),
    subscribe: (fn) => {
      subscribers.add(fn);
      return () => {
        subscribers.delete(fn);
      };
    },
  };
}

/** Hot path: only our own code writes these rows, so their shape is not checked again. */
function parseEntry(row: FeedRow, path: string): FeedEntry {
  return {
    seq: row.seq,
    atMs: row.at,
    type: row.type,
    lane: row.lane,
    job: row.job,
    data: parseJson(row.data, { path, what: `feed entry ${row.seq}` }) as Record<string, unknown>,
  };
}
