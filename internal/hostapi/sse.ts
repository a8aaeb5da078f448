import { type Clock, toError } from "../base/index.ts";

/** A comment is sent after so long without a message, so that both sides notice a dead connection. */
export const HEARTBEAT_MS = 15_000;

/** At most so many messages go into one chunk. */
const BATCH_MAX = 256;

/** What a stream is made of. */
export interface SseOptions {
  /** Formatted messages ({@link sseMessage}); its end ends the stream. Pulled one by one, so a slow reader holds it up. */
  readonly messages: (signal: AbortSignal) => AsyncIterable<string>;
  readonly clock: Clock;
  /** Aborts when the daemon stops: the stream ends as if there was nothing more. */
  readonly stopping: AbortSignal;
  /** Hears of a failure of `messages`; the client sees the stream break off. */
  readonly onError: (error: Error) => void;
}

/** One message. `event` is left out for ordinary ones. */
export function sseMessage(message: { readonly id?: number; readonly event?: string; readonly data: unknown }): string {
  const id = message.id === undefined ? "" : `id: ${message.id}\n`;
  const event = message.event === undefined ? "" : `event: ${message.event}\n`;
  // JSON has no raw line breaks, so one `data:` line always suffices.
  return `${id}${event}data: ${JSON.stringify(message.data)}\n\n`;
}

/**
 * A body of server-sent events. Nothing is read from `messages` before the reader has taken what came before; when the
 * reader goes, `messages` gets its signal and its `return`.
 */
export function sseStream(opts: SseOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const ended = new AbortController();
  const iterator = opts.messages(ended.signal)[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<string>> | null = null;
  const end = () => {
    opts.stopping.removeEventListener("abort", end);
    if (ended.signal.aborted) return;
    ended.abort();
    // A generator that waits takes `return` only after its wait; its signal has just ended that.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
  };
  if (opts.stopping.aborted) end();
  else opts.stopping.addEventListener("abort", end, { once: true });

  /** The next messages that are there, joined; null at the end; a comment when nothing came for a while. */
  const take = async (): Promise<string | null> => {
    pending ??= iterator.next();
    const first = await firstOf(pending, opts.clock, ended.signal);
    if (first === "quiet") return ": \n\n";
    if (first === "ended" || first.done) return null;
    pending = null;
    let text = first.value;
    const pause = new Promise<"pause">((resolve) => setImmediate(() => resolve("pause")));
    for (let count = 1; count < BATCH_MAX; count++) {
      pending = iterator.next();
      // A failure is left in `pending` for the next round: what came before it is delivered first.
      const next = await Promise.race([pending, pause]).catch(() => "pause" as const);
      if (next === "pause" || next.done) break;
      pending = null;
      text += next.value;
    }
    return text;
  };

  return new ReadableStream<Uint8Array>(
    {
      // At once, so that the client knows that it is subscribed.
      start: (controller) => controller.enqueue(encoder.encode(": \n\n")),
      pull: async (controller) => {
        try {
          const text = await take();
          if (text !== null) return controller.enqueue(encoder.encode(text));
        } catch (caught) {
          if (!ended.signal.aborted) opts.onError(toError(caught));
        }
        end();
        closeQuietly(controller);
      },
      cancel: end,
    },
    { highWaterMark: 1 },
  );
}

async function firstOf<T>(pending: Promise<T>, clock: Clock, signal: AbortSignal): Promise<T | "quiet" | "ended"> {
  let clear = () => {};
  const other = new Promise<"quiet" | "ended">((resolve) => {
    const onAbort = () => resolve("ended");
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const stop = clock.timer(HEARTBEAT_MS, () => resolve("quiet"));
    clear = () => {
      stop();
      signal.removeEventListener("abort", onAbort);
    };
  });
  try {
    return await Promise.race([pending, other]);
  } finally {
    clear();
  }
}

function closeQuietly(controller: ReadableStreamDefaultController<Uint8Array>): void {
  try {
    controller.close();
  } catch {
    // Cancelled by the reader in the meantime.
  }
}
