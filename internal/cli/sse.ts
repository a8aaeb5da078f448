/** One message of an event stream. */
export interface SseMessage {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/**
 * Parses a `text/event-stream` body. Yields messages as they are complete; comments (heartbeats) are skipped; an
 * unfinished message at the end of the body is dropped, as the standard says: it will come again after a reconnect.
 */
export async function* parseSse(body: AsyncIterable<Uint8Array>): AsyncGenerator<SseMessage, void> {
  const decoder = new TextDecoder("utf-8");
  let rest = "";
  let message = emptyMessage();
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = rest.indexOf("\n", from); end >= 0; end = rest.indexOf("\n", from)) {
      const line = rest.slice(from, rest[end - 1] === "\r" ? end - 1 : end);
      from = end + 1;
      if (line !== "") {
        message = withLine(message, line);
        continue;
      }
      if (message.data !== null) yield { id: message.id, event: message.event, data: message.data };
      message = emptyMessage();
    }
    rest = rest.slice(from);
  }
}

interface PartialMessage {
  readonly id: string | null;
  readonly event: string;
  readonly data: string | null;
}

function emptyMessage(): PartialMessage {
  return { id: null, event: "message", data: null };
}

function withLine(message: PartialMessage, line: string): PartialMessage {
  const colon = line.indexOf(":");
  const field = colon < 0 ? line : line.slice(0, colon);
  const text = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
  switch (field) {
    case "id":
      return { ...message, id: text };
    case "event":
      return { ...message, event: text };
    case "data":
      return { ...message, data: message.data === null ? text : `${message.data}\n${text}` };
    default:
      return message;
  }
}
