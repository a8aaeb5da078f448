/** Options of every call that can wait. The signal aborts when the client has gone; what was begun may still happen. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A value, now or later: ports that only read memory or SQLite need not pretend to wait. */
export type Awaitable<T> = T | Promise<T>;

/** How long a call may wait for the lane; it answers with the state of then. */
export interface WaitOptions extends CallOptions {
  readonly waitMs: number;
}
