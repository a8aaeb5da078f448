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
}

/** The numbers the product runs with. */
export const DEFAULT_POLICY: DispatchPolicy = {
  outputCapBytes: 64 * 1024 * 1024,
  ackedAttemptsMax: 1000,
  replyMs: 30_000,
  storeRetryMs: 2000,
};

/** Events read at once while following: a frame may hold 1 MiB in one event, and every follower holds a page. */
export const FOLLOW_PAGE = 64;

/** Most events one call of `readEvents` gives. */
export const READ_EVENTS_MAX = 1000;
