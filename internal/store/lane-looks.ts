import * as z from "zod";
import { parseStored } from "./parse-stored.ts";
import type { Tx } from "./tx.ts";

/** What a lane's git dir held when its container was stopped. */
export interface StoredLook {
  /** Which start of which container that was: after another one it says nothing. */
  readonly run: string;
  readonly held: z.infer<typeof holdings>;
}

/** The last look into each lane before it was stopped. Synchronous, durable on return. */
export interface LaneLooks {
  find(laneId: string): StoredLook | null;
  /** Replaces the one before. No effect for a lane that is not on record. */
  put(laneId: string, look: StoredLook): void;
}

/** The agent's word, bounded when it came. */
const holdings = z.object({
  branches: z.array(z.object({ name: z.string(), tip: z.string() })).readonly(),
  more: z.boolean(),
  detached: z.string().nullable(),
  stashes: z.number(),
  submodules: z.array(z.object({ path: z.string(), commits: z.number(), others: z.number() })).readonly(),
});

/** The looks in `tx`. */
export function createLaneLooks(tx: Tx): LaneLooks {
  const { db, path } = tx;
  const find = db.prepare<[string], { readonly run: string; readonly held: string }>(
    "SELECT run, held FROM lane_looks WHERE lane = ?",
  );
  const put = db.prepare("INSERT OR REPLACE INTO lane_looks SELECT id, ?, ? FROM lanes WHERE id = ?");
  return {
    find: (laneId) =>
      tx.read(() => {
        const row = find.get(laneId);
        if (!row) return null;
        return { run: row.run, held: parseStored(holdings, row.held, { path, what: `look into lane ${laneId}` }) };
      }),
    put: (laneId, { run, held }) =>
      tx.write(() => {
        put.run(run, JSON.stringify(held), laneId);
      }),
  };
}
