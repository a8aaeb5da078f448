import type { Job } from "../job/index.ts";

/** Why a job that its lane could begin now is not begun yet. */
export type WaitReason = "memory" | "count";

/** What all lanes together may use. */
export interface AdmissionLimits {
  /** Most jobs that run at once, over all lanes; at least 1, null for no limit. */
  readonly maxRunning: number | null;
  /** Bytes of memory that must be available on the host before another job is begun; null for no limit. */
  readonly minFreeMemoryBytes: number | null;
}

/** What runs now, and what is left of the machine. */
export interface Load {
  readonly running: number;
  /** Null where it cannot be told: then memory keeps nobody waiting. */
  readonly freeMemoryBytes: number | null;
}

/** May one more job be begun? Null when it may, else why not. With nothing running it always may: no limit is a deadlock. */
export function decideAdmission(limits: AdmissionLimits, load: Load): WaitReason | null {
  const { maxRunning, minFreeMemoryBytes } = limits;
  const { running, freeMemoryBytes } = load;
  if (running === 0) return null;
  if (maxRunning !== null && running >= maxRunning) return "count";
  const isShort = minFreeMemoryBytes !== null && freeMemoryBytes !== null && freeMemoryBytes < minFreeMemoryBytes;
  return isShort ? "memory" : null;
}

/** The jobs of several lanes in the order in which they are begun: highest priority, then first in. */
export function inTurn(jobs: readonly Job[]): readonly Job[] {
  return [...jobs].sort(
    (a, b) =>
      b.spec.priority - a.spec.priority || a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : Number(a.id > b.id)),
  );
}
