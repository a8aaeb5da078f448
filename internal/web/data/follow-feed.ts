import type { ApiFeedEntry } from "../../protocol/index.ts";
import { type Api, ApiError } from "../api.ts";

/** Who hears of the feed. */
export interface FeedListener {
  /** The stream is open: whatever is fetched from now on lacks nothing that the stream will not tell. */
  onOpen(): void;
  onEntry(entry: ApiFeedEntry): void;
  /** Entries are gone: fetch everything anew. */
  onGap(): void;
  /** The stream is not there; it is tried again. */
  onLost(): void;
}

const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5000;

/**
 * Follows `/v1/events` after entry `after` (null: from now) until the signal aborts, over every restart of the daemon:
 * resumes after the last entry it saw.
 * Gives up only when the token is refused.
 */
export async function followFeed(
  api: Api,
  listener: FeedListener,
  { after: begin, signal }: { readonly after: string | null; readonly signal: AbortSignal },
): Promise<void> {
  let after = begin;
  let retryMs = RETRY_FIRST_MS;
  while (!signal.aborted) {
    try {
      for await (const message of api.stream("/v1/events", { signal, after })) {
        retryMs = RETRY_FIRST_MS;
        after = message.id ?? after;
        if (message.event === "hello") listener.onOpen();
        else if (message.event === "gap") listener.onGap();
        else listener.onEntry(JSON.parse(message.data) as ApiFeedEntry);
      }
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status === 401)) return;
    }
    if (signal.aborted) return;
    listener.onLost();
    await sleep(retryMs, signal);
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
  }
}

/** Waits, less long when the signal aborts. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
