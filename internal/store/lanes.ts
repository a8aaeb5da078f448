import { AppError } from "../base/index.ts";
import type { Desired, Lane, LaneHistoryEntry, LaneSettings, LaneSpec } from "../lane/index.ts";
import { isDuplicate, isForeignKey } from "./errors.ts";
import type { Feed } from "./feed.ts";
import { createLaneHistory } from "./lane-history.ts";
import { type LaneRow, parseLane, parseSpec } from "./parse-lane.ts";
import { EMPTY_MEMORY, parseMemory, type StoredLaneMemory } from "./parse-memory.ts";
import type { Tx } from "./tx.ts";

/** Generations kept per lane; drift is only ever explained against the last one. */
const GENERATIONS_MAX = 50;

/** A generation on record: what its container was created from. */
export interface StoredGeneration {
  readonly laneId: string;
  readonly generation: number;
  readonly spec: LaneSpec;
  readonly fingerprint: string;
  readonly createdAtMs: number;
}

/** Lanes on record: the supervisor's port `LaneStore`. Synchronous, durable on return. */
export interface Lanes {
  /** Oldest first. */
  listLanes(): readonly Lane[];
  findLane(id: string): Lane | null;
  /** @throws lane.exists, workspace.not_found */
  insertLane(lane: Lane): void;
  /** @throws lane.not_found */
  updateLane(id: string, change: { readonly desired?: Desired; readonly settings?: LaneSettings }): Lane;
  /**
   * Removes the lane, its generations, memory, history, spool and idempotency keys (a lane made later under the same
   * name starts afresh); its jobs stay readable. Absent is fine.
   */
  deleteLane(id: string): void;
  /** Gives out the next generation and records its spec, in one transaction. @throws lane.not_found */
  beginGeneration(id: string, spec: LaneSpec, fingerprint: string, atMs: number): number;
  /** Null when it is not on record, or was written by a build with another spec schema. */
  findGeneration(id: string, generation: number): StoredGeneration | null;
  /** Empty for a lane that never failed. */
  loadMemory(id: string): StoredLaneMemory;
  saveMemory(id: string, memory: StoredLaneMemory): void;
  /** Appends to the lane's bounded history and to the feed; returns the entry with its number. */
  appendHistory(id: string, entry: Omit<LaneHistoryEntry, "seq">): LaneHistoryEntry;
  /** Newest last. */
  listHistory(id: string, opts: { readonly limit: number }): readonly LaneHistoryEntry[];
}

interface GenerationRow {
  readonly spec: string;
  readonly fingerprint: string;
  readonly created_at: number;
}

/** The lanes in `tx`. */
export function createLanes(tx: Tx, feed: Feed, nowMs: () => number): Lanes {
  const { db, path } = tx;
  const all = db.prepare<[], LaneRow>("SELECT * FROM lanes ORDER BY created_at, id");
  const byId = db.prepare<[string], LaneRow>("SELECT * FROM lanes WHERE id = ?");
  const insert = db.prepare(
    `INSERT INTO lanes (id, workspace, name, branch, worktree, desired, settings, generation, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const update = db.prepare("UPDATE lanes SET desired = ?, settings = ? WHERE id = ?");
  const removals = [
    db.prepare<[string]>("DELETE FROM idempotency_keys WHERE lane = ?"),
    db.prepare<[string]>("DELETE FROM lane_spools WHERE lane = ?"),
    db.prepare<[string]>("DELETE FROM lanes WHERE id = ?"),
  ];
  const nextGeneration = db.prepare<[string], { readonly generation: number }>(
    "UPDATE lanes SET generation = generation + 1 WHERE id = ? RETURNING generation",
  );
  const insertGeneration = db.prepare("INSERT INTO generations VALUES (?, ?, ?, ?, ?)");
  const pruneGenerations = db.prepare("DELETE FROM generations WHERE lane = ? AND generation <= ?");
  const generationBy = db.prepare<[string, number], GenerationRow>(
    "SELECT spec, fingerprint, created_at FROM generations WHERE lane = ? AND generation = ?",
  );
  const memoryBy = db.prepare<[string], { readonly memory: string }>("SELECT memory FROM lane_memory WHERE lane = ?");
  const saveMemory = db.prepare("INSERT OR REPLACE INTO lane_memory VALUES (?, ?)");

  const append = (type: string, lane: string, data: Record<string, unknown>) =>
    feed.append({ atMs: nowMs(), type, lane, job: null, data });

  const findLane = (id: string): Lane | null => {
    const row = byId.get(id);
    return row ? parseLane(row, path) : null;
  };

  return {
    ...createLaneHistory(tx, feed),
    listLanes: () => tx.read(() => all.all().map((row) => parseLane(row, path))),
    findLane: (id) => tx.read(() => findLane(id)),
    insertLane: (lane) =>
      tx.write(() => {
        const { id, workspaceId, name, branch, worktree, desired, settings, generation, createdAtMs } = lane;
        try {
          const json = JSON.stringify(settings);
          insert.run(id, workspaceId, name, branch, worktree, desired, json, generation, createdAtMs);
        } catch (caught) {
          throw whyNotInserted(lane, caught);
        }
        append("lane.added", id, { name });
      }),
    updateLane: (id, change) =>
      tx.write(() => {
        const lane = findLane(id);
        if (!lane) throw notFound(id);
        const next: Lane = {
          ...lane,
          desired: change.desired ?? lane.desired,
          settings: change.settings ?? lane.settings,
        };
        update.run(next.desired, JSON.stringify(next.settings), id);
        append("lane.updated", id, { desired: next.desired });
        return next;
      }),
    deleteLane: (id) =>
      tx.write(() => {
        const row = byId.get(id);
        if (!row) return;
        for (const removal of removals) removal.run(id);
        append("lane.removed", id, { name: row.name });
      }),
    beginGeneration: (id, spec, fingerprint, atMs) =>
      tx.write(() => {
        const generation = nextGeneration.get(id)?.generation;
        if (generation === undefined) throw notFound(id);
        insertGeneration.run(id, generation, JSON.stringify(spec), fingerprint, atMs);
        pruneGenerations.run(id, generation - GENERATIONS_MAX);
        return generation;
      }),
    findGeneration: (id, generation) =>
      tx.read(() => {
        const row = generationBy.get(id, generation);
        const spec = row ? parseSpec(row.spec) : null;
        if (!row || !spec) return null;
        return { laneId: id, generation, spec, fingerprint: row.fingerprint, createdAtMs: row.created_at };
      }),
    loadMemory: (id) =>
      tx.read(() => {
        const row = memoryBy.get(id);
        return row ? parseMemory(row.memory, { path, lane: id }) : EMPTY_MEMORY;
      }),
    saveMemory: (id, memory) =>
      tx.write(() => {
        try {
          saveMemory.run(id, JSON.stringify(memory));
        } catch (caught) {
          throw isForeignKey(caught) ? notFound(id) : caught;
        }
      }),
  };
}

function whyNotInserted(lane: Lane, caught: unknown): unknown {
  if (isForeignKey(caught)) {
    return new AppError({
      code: "workspace.not_found",
      message: `lane ${lane.name}: there is no workspace ${lane.workspaceId}`,
      hint: "see lane workspace ls",
      cause: caught,
    });
  }
  if (!isDuplicate(caught)) return caught;
  return new AppError({
    code: "lane.exists",
    message: `a lane named ${lane.name}, or one on ${lane.worktree}, exists already`,
    hint: "choose another name, or see lane ls",
    cause: caught,
  });
}

function notFound(id: string): AppError {
  return new AppError({ code: "lane.not_found", message: `there is no lane ${id}`, hint: "see lane ls" });
}
