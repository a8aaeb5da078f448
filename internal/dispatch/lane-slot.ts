import type { LaneLink } from "./ports.ts";

/** Everything of an attempt up to `seq` is on the disk. */
export interface Ack {
  readonly job: string;
  readonly attempt: number;
  readonly seq: number;
}

/** Attempts of one lane that may have events on their way at once: one, and a few ended ones being replayed. */
const ACKS_KEPT = 64;

/** What this process knows of a lane's dispatch. None of it is stored: a new process learns it again. */
export interface LaneSlot {
  readonly laneId: string;
  link: LaneLink | null;
  /** Aborted when the link goes: ends every wait for an answer on it. */
  linkGone: AbortController;
  /** Highest generation seen; frames of a lower one are not believed. */
  generation: number;
  /** The highest generation whose container is proven dead, -1 for none: nothing of it runs, whatever is on record. */
  deadGeneration: number;
  /** The lane is draining: nothing new is started. */
  paused: boolean;
  /** The worker refused us as outdated: nothing is sent until the next link. */
  held: boolean;
  /** Why queued jobs wait; undefined until somebody said so to this process. */
  waiting: string | null | undefined;
  /** The attempt whose `start` is being prepared and has not been sent. */
  preparing: string | null;
  /** Attempts that have ended on record and that the worker still runs: they must end before anything is started. */
  readonly leftovers: Set<string>;
  /**
   * The last acknowledgements since a link was handed over. Events may come before that, or while the one before is
   * still here: what was acknowledged to nobody, or to the wrong link, is acknowledged again to the new one.
   */
  readonly acks: Map<string, Ack>;
  /** Attempts that are not on record and were named in the log. */
  readonly strangers: Set<string>;
  /** What the worker was told in the opening of the link that comes next. */
  told: ReadonlyMap<string, number>;
  /** Cancels the timer of the next try, when the store was full. */
  retry: (() => void) | null;
}

/** The slots of all lanes, made on first use. */
export interface LaneSlots {
  of(laneId: string): LaneSlot;
  find(laneId: string): LaneSlot | undefined;
  all(): readonly LaneSlot[];
  delete(laneId: string): void;
}

/** See {@link LaneSlots}. */
export function createLaneSlots(): LaneSlots {
  const slots = new Map<string, LaneSlot>();
  return {
    of: (laneId) => {
      const known = slots.get(laneId);
      if (known) return known;
      const slot: LaneSlot = {
        laneId,
        link: null,
        linkGone: new AbortController(),
        generation: 0,
        deadGeneration: -1,
        paused: false,
        held: false,
        waiting: undefined,
        preparing: null,
        leftovers: new Set(),
        acks: new Map(),
        strangers: new Set(),
        told: new Map(),
        retry: null,
      };
      slots.set(laneId, slot);
      return slot;
    },
    find: (laneId) => slots.get(laneId),
    all: () => [...slots.values()],
    delete: (laneId) => {
      slots.get(laneId)?.retry?.();
      slots.delete(laneId);
    },
  };
}

/** The name of an attempt, as in the link's `resume` frame. */
export const attemptKey = (job: string, attempt: number): string => `${job}/${attempt}`;

/** Notes an acknowledgement for a link that comes later; the oldest ones are forgotten. */
export function keepAck(slot: LaneSlot, ack: Ack): void {
  const key = attemptKey(ack.job, ack.attempt);
  slot.acks.delete(key);
  slot.acks.set(key, ack);
  const [oldest] = slot.acks.keys();
  if (slot.acks.size > ACKS_KEPT && oldest !== undefined) slot.acks.delete(oldest);
}
