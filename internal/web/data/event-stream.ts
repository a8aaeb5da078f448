/** One message of an event stream. `hello`: the stream is open (the server's first comment). */
export interface StreamMessage {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** Longest message that is taken, in characters; our server's are below a tenth of it. */
const MESSAGE_MAX = 16 * 1024 * 1024;

/**
 * Messages of a `text/event-stream` body as they become complete. The first chunk of whatever kind is preceded by an
 * empty `hello` message, so that a reader knows that it is subscribed. An unfinished message at the end is dropped.
 */
export async function* parseEventStream(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<StreamMessage> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  const cancel = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", cancel, { once: true });
  let rest = "";
  let greeted = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (!greeted) yield { id: null, event: "hello", data: "" };
      greeted = true;
      rest += value;
      for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
        const message = toMessage(rest.slice(0, end));
        rest = rest.slice(end + 2);
        if (message !== null) yield message;
      }
      if (rest.length > MESSAGE_MAX) throw new Error("a message of the event stream is too long");
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

/** The message that a block of lines is, or null when it has no data (a comment). */
function toMessage(block: string): StreamMessage | null {
  let id: string | null = null;
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const text = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    const field = line.slice(0, colon);
    if (field === "id") id = text;
    else if (field === "event") event = text;
    else if (field === "data") data.push(text);
  }
  return data.length === 0 ? null : { id, event, data: data.join("\n") };
}
