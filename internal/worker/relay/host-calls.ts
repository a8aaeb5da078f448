import { AppError, type Clock } from "../../base/index.ts";
import type { WorkerFrame } from "../../protocol/index.ts";

/** A call of the lane to the host API. */
export interface HostCall {
  readonly method: "GET" | "POST";
  /** Begins with `/v1/lane/`. */
  readonly path: string;
  /** Idempotency key. */
  readonly key: string | null;
  readonly body: string;
}

/** The host's answer. */
export interface HostAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** A link as the relay needs it. */
export interface CallLink {
  send(frame: WorkerFrame): void;
}

/** How long a call waits for a link. */
export const LINK_WAIT_MS = 30_000;

/** How long a call that was sent waits for its answer: the host may hold it while a person thinks. */
export const ANSWER_WAIT_MS = 120_000;

/** Calls from the lane to the host API, over whichever link there is. */
export interface HostCalls {
  /**
   * Resolves with the host's answer. Rejects with `daemon.unreachable` when there is no link for
   * {@link LINK_WAIT_MS}, or when the link was lost after a call went out that must not be sent twice; with `timeout`.
   */
  call(call: HostCall, opts: { readonly signal: AbortSignal }): Promise<HostAnswer>;
  attach(link: CallLink): void;
  detach(link: CallLink): void;
  onResponse(answer: HostAnswer & { readonly id: number }): void;
}

interface Pending {
  readonly id: number;
  readonly call: HostCall;
  readonly settle: (result: HostAnswer | AppError) => void;
  sent: boolean;
  cancelTimer: () => void;
}

/** Calls without a link yet. */
export function createHostCalls(deps: { readonly clock: Clock }): HostCalls {
  const pending = new Map<number, Pending>();
  let link: CallLink | null = null;
  let lastId = 0;

  const arm = (entry: Pending, ms: number, error: () => AppError) => {
    entry.cancelTimer();
    entry.cancelTimer = deps.clock.timer(ms, () => entry.settle(error()));
  };
  const send = (entry: Pending, over: CallLink) => {
    entry.sent = true;
    arm(entry, ANSWER_WAIT_MS, answerTimeout);
    over.send({ t: "api.request", id: entry.id, ...entry.call });
  };
  return {
    call: (call, { signal }) =>
      new Promise((resolve, reject) => {
        const onAbort = () => {
          // The host must not think that an answer it has for it was heard.
          if (entry.sent) link?.send({ t: "api.cancel", id: entry.id });
          entry.settle(new AppError({ code: "cancelled", message: "the caller went away" }));
        };
        const entry: Pending = {
          id: ++lastId,
          call,
          sent: false,
          cancelTimer: () => {},
          settle: (result) => {
            entry.cancelTimer();
            pending.delete(entry.id);
            signal.removeEventListener("abort", onAbort);
            if (result instanceof AppError) reject(result);
            else resolve(result);
          },
        };
        pending.set(entry.id, entry);
        signal.addEventListener("abort", onAbort, { once: true });
        if (signal.aborted) onAbort();
        else if (link !== null) send(entry, link);
        else arm(entry, LINK_WAIT_MS, noLink);
      }),
    attach: (attached) => {
      link = attached;
      for (const entry of pending.values()) if (!entry.sent) send(entry, attached);
    },
    detach: (detached) => {
      if (link !== detached) return;
      link = null;
      for (const entry of [...pending.values()]) {
        // Only what may be repeated is sent again.
        if (entry.call.method !== "GET" && entry.call.key === null) entry.settle(interrupted());
        else {
          entry.sent = false;
          arm(entry, LINK_WAIT_MS, noLink);
        }
      }
    },
    // An answer to a call whose caller went away is no error.
    onResponse: ({ id, status, contentType, body }) => pending.get(id)?.settle({ status, contentType, body }),
  };
}

function noLink(): AppError {
  return new AppError({
    code: "daemon.unreachable",
    message: `laned did not reach this lane for ${LINK_WAIT_MS / 1000} s`,
    hint: "try again; on the host, `lane status` says what laned does",
    retry: "retryable",
  });
}

function interrupted(): AppError {
  return new AppError({
    code: "daemon.unreachable",
    message: "the link to laned was lost while this call was under way: whether it took effect is not known",
    hint: "send an Idempotency-Key, then the call is repeated safely",
  });
}

function answerTimeout(): AppError {
  return new AppError({
    code: "timeout",
    message: `laned did not answer within ${ANSWER_WAIT_MS / 1000} s`,
    retry: "retryable",
  });
}
