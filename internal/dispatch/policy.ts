import type { AdmissionLimits } from "./admission.ts";

/** Tuning of dispatch. */
export interface DispatchPolicy {
  /** Output of one attempt beyond this many bytes is cut by the worker, and marked. */
  readonly outputCapBytes: number;
  /** Attempts of a lane whose acknowledged numbers are told to a worker; older ones it has dropped long ago. */
  readonly ackedAttemptsMax: number;
  /** A worker that has not answered `start` or `cancel` after this long is asked again on another link. */
  readonly replyMs: number;
  /** Wait before a lane whose store was full is tried again. */
  readonly storeRetryMs: number;
  /** What the jobs of all lanes together may use. */
  readonly admission: AdmissionLimits;
  /** Wait before jobs that wait for memory are looked at again. */
  readonly readmitMs: number;
  /** A job out of reach for this long holds no room any more: its lane would have been made anew by then. */
  readonly silentMs: number;
  /** Wait between two looks at the jobs that are active; while none is, nobody looks. */
  readonly watchMs: number;
  /** A cancel that its worker has not confirmed for this long is carried out by ending the container. */
  readonly cancelMs: number;
  /** A job whose processes have verifiably done nothing for this long is stuck; null: none ever is. */
  readonly stuckAfterMs: number | null;
  /** What is done about one that is stuck, beside telling it. */
  readonly stuckAction: "tell" | "cancel";
}

/** The numbers the product runs with. */
export const DEFAULT_POLICY: DispatchPolicy = {
  outputCapBytes: 64 * 1024 * 1024,
  ackedAttemptsMax: 1000,
  replyMs: 30_000,
  storeRetryMs: 2000,
  admission: { maxRunning: null, minFreeMemoryBytes: 512 * 1024 * 1024 },
  readmitMs: 2000,
  silentMs: 120_000,
  watchMs: 1000,
  cancelMs: 60_000,
  stuckAfterMs: 600_000,
  stuckAction: "tell",
};

/** Events read at once while following: a frame may hold 1 MiB in one event, and every follower holds a page. */
export const FOLLOW_PAGE = 64;

/** Most events one call of `readEvents` gives. */
export const READ_EVENTS_MAX = 1000;
