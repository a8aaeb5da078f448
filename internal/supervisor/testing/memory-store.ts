import { AppError } from "../../base/index.ts";
import type { Lane, LaneHistoryEntry } from "../../lane/index.ts";
import type { GenerationRecord, LaneMemory, LaneStore } from "../ports.ts";

/** Lanes in memory, as the store keeps them. */
export interface MemoryStore extends LaneStore {
  /** Every generation ever given out, in order. */
  readonly generations: readonly GenerationRecord[];
  /** While true, every write fails as on a full disk, without effect. */
  full: boolean;
}

const EMPTY: LaneMemory = { failuresAtMs: [], failed: null };

/** An empty store. */
export function createMemoryStore(): MemoryStore {
  const lanes = new Map<string, Lane>();
  const memories = new Map<string, LaneMemory>();
  const history = new Map<string, LaneHistoryEntry[]>();
  const generations: GenerationRecord[] = [];
  let seq = 0;
  const write = () => {
    if (store.full) throw new AppError({ code: "store.full", message: "no room left", retry: "retryable" });
  };
  const must = (id: string): Lane => {
    const lane = lanes.get(id);
    if (!lane) throw new AppError({ code: "lane.not_found", message: `there is no lane ${id}` });
    return lane;
  };
  const store: MemoryStore = {
    generations,
    full: false,
    listLanes: () => [...lanes.values()],
    findLane: (id) => lanes.get(id) ?? null,
    insertLane: (lane) => {
      write();
      lanes.set(lane.id, lane);
    },
    updateLane: (id, change) => {
      write();
      const next = { ...must(id), ...change };
      lanes.set(id, next);
      return next;
    },
    deleteLane: (id) => {
      write();
      lanes.delete(id);
      memories.delete(id);
      history.delete(id);
    },
    beginGeneration: (laneId, spec, fingerprint, createdAtMs) => {
      write();
      const lane = must(laneId);
      const generation = lane.generation + 1;
      lanes.set(laneId, { ...lane, generation });
      generations.push({ laneId, generation, spec, fingerprint, createdAtMs });
      return generation;
    },
    findGeneration: (id, generation) =>
      generations.findLast((g) => g.laneId === id && g.generation === generation) ?? null,
    loadMemory: (id) => memories.get(id) ?? EMPTY,
    saveMemory: (id, memory) => {
      write();
      must(id);
      memories.set(id, memory);
    },
    appendHistory: (id, entry) => {
      write();
      must(id);
      const full = { seq: ++seq, ...entry };
      history.set(id, [...(history.get(id) ?? []), full]);
      return full;
    },
    listHistory: (id, { limit }) => (history.get(id) ?? []).slice(-limit),
  };
  return store;
}
