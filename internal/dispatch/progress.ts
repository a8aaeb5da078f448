/** What a running attempt's processes have used so far, as its worker measures it. */
export interface Usage {
  /** Processes alive. */
  readonly processes: number;
  /** CPU time, in clock ticks. Compared only: it shrinks when a process that was counted is gone. */
  readonly cpuTicks: number;
}

/** One moment, by both clocks: the wall for people, the monotonic one for decisions. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** How far an attempt is known to have come, in one generation. */
export interface Progress {
  readonly generation: number;
  /** Wall ms of the last sign of progress; null where this daemon has not seen any yet. */
  readonly lastAtMs: number | null;
  /** Monotonic ms of the last sign of progress, or of the first heartbeat or look at it, if that is later. */
  readonly sinceMs: number;
  /** As of the last heartbeat; null before the first, and of a worker that does not measure. */
  readonly usage: Usage | null;
  /** Monotonic ms of the last heartbeat that told the usage. */
  readonly beatMs: number | null;
}

/** Without a heartbeat for this long nobody knows what the attempt does: it is silent, but not known to be stuck. */
const BEAT_FRESH_MS = 30_000;

/** The first look at an attempt. What it did before is not known. */
export function firstLook(generation: number, now: Moment): Progress {
  return { generation, lastAtMs: null, sinceMs: now.monotonicMs, usage: null, beatMs: null };
}

/** It has done something that can be seen: started, or said something. */
export function moved(progress: Progress, now: Moment): Progress {
  return { ...progress, lastAtMs: now.wallMs, sinceMs: now.monotonicMs };
}

/** It does nothing because a person is to say something first: that is no sign of progress, nor of none. */
export function excused(progress: Progress, now: Moment): Progress {
  return { ...progress, sinceMs: now.monotonicMs };
}

/**
 * A heartbeat has come. Whoever used CPU time, or has other processes than before, has moved. With the first one watching
 * begins; it is no sign of progress, and later links go on from it: one that comes and goes must not look like work.
 */
export function heard(progress: Progress, usage: Usage | null, now: Moment): Progress {
  if (usage === null) return progress;
  const { usage: before } = progress;
  const beaten = { ...progress, usage, beatMs: now.monotonicMs };
  if (before === null) return { ...beaten, sinceMs: now.monotonicMs };
  const same = before.processes === usage.processes && before.cpuTicks === usage.cpuTicks;
  return same ? beaten : moved(beaten, now);
}

/**
 * For how long the attempt has verifiably done nothing, ms; null when it has not been as long as `stuckAfterMs`, or when
 * nobody knows. Only heartbeats that keep coming, and tell of processes that use nothing, make an attempt stuck: neither
 * silence nor the wall clock does.
 */
export function stuckForMs(progress: Progress, nowMs: number, stuckAfterMs: number): number | null {
  const { beatMs, sinceMs } = progress;
  if (beatMs === null || nowMs - beatMs > BEAT_FRESH_MS || nowMs - sinceMs < stuckAfterMs) return null;
  return nowMs - sinceMs;
}
