import { type AppError, abortReason } from "../base/index.ts";

/** Requests that wait for the frame with their number. */
export interface PendingReplies<T> {
  /** Draws a number, calls `send` with it, and waits. Rejects with the signal's reason, or with what ends the link. */
  request(send: (id: number) => Promise<void>, opts: { readonly signal?: AbortSignal | undefined }): Promise<T>;
  /** False when no request ever had this number. A late answer to an aborted request is dropped. */
  settle(id: number, answer: T): boolean;
  /** The link is gone: everything that waits is rejected, and so is everything later. */
  end(error: AppError): void;
}

/** No requests yet; numbers start at 1. */
export function createPendingReplies<T>(): PendingReplies<T> {
  const waiting = new Map<number, { readonly resolve: (answer: T) => void; readonly reject: (error: Error) => void }>();
  let lastId = 0;
  let ended: AppError | null = null;
  return {
    request: (send, { signal }) =>
      new Promise<T>((resolve, reject) => {
        if (signal?.aborted) return reject(abortReason(signal));
        if (ended !== null) return reject(ended);
        const id = ++lastId;
        const leave = () => {
          waiting.delete(id);
          signal?.removeEventListener("abort", onAbort);
        };
        const fail = (error: Error) => {
          leave();
          reject(error);
        };
        const onAbort = () => fail(abortReason(signal));
        signal?.addEventListener("abort", onAbort, { once: true });
        waiting.set(id, {
          resolve: (answer) => {
            leave();
            resolve(answer);
          },
          reject: fail,
        });
        // Should sending fail, the end of the link follows and says why.
        send(id).catch(() => {});
      }),
    settle: (id, answer) => {
      waiting.get(id)?.resolve(answer);
      return id >= 1 && id <= lastId;
    },
    end: (error) => {
      ended ??= error;
      for (const entry of [...waiting.values()]) entry.reject(ended);
    },
  };
}
