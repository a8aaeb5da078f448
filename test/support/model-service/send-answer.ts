import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Manner } from "./script.ts";
import type { Chunk, HttpAnswer } from "./vendor.ts";

/** Sends a whole JSON answer. */
export function sendWhole(response: ServerResponse, answer: HttpAnswer): void {
  response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
  response.end(JSON.stringify(answer.body));
}

/** Sends a stream of events in the manner asked for. Rejects when `signal` aborts: the client went away. */
export async function sendStream(
  response: ServerResponse,
  chunks: readonly Chunk[],
  manner: Manner,
  opts: { readonly signal: AbortSignal },
): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.flushHeaders();
  const words = chunks.filter((chunk) => chunk.word).length;
  let sent = 0;
  for (const chunk of chunks) {
    response.write(chunk.text);
    if (!chunk.word) continue;
    sent += 1;
    if (manner.slowMs > 0) await sleep(manner.slowMs, undefined, opts);
    if (manner.drop && sent >= words / 2) {
      // What was written must be on its way first: destroying throws away what is still held.
      await sleep(DROP_AFTER_MS, undefined, opts);
      response.destroy();
      return;
    }
  }
  response.end();
}

const DROP_AFTER_MS = 50;
