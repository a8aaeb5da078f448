import { describe, expect, it } from "vitest";
import { parseEventStream } from "./event-stream.ts";

async function read(chunks: readonly (string | Uint8Array)[]): Promise<readonly string[]> {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
      controller.close();
    },
  });
  const found: string[] = [];
  for await (const { id, event, data } of parseEventStream(body, new AbortController().signal)) {
    found.push(`${id} ${event} ${data}`);
  }
  return found;
}

describe("event streams", () => {
  it("greets first, joins chunks, skips comments, and drops what was cut off", async () => {
    expect(
      await read([": \n\n", "id: 1\nda", 'ta: {"a":1}\n\nid: 2\nevent: gap\ndata:x\ndata: y\n\n: \n\nid: 3\ndata: z']),
    ).toEqual(["null hello ", '1 message {"a":1}', "2 gap x\ny"]);
  });

  it("puts letters together that were cut in two", async () => {
    const bytes = new TextEncoder().encode("data: ä\n\n");
    expect(await read([bytes.slice(0, 7), bytes.slice(7)])).toEqual(["null hello ", "null message ä"]);
  });

  it("ends when its reader goes", async () => {
    const stop = new AbortController();
    const body = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(new TextEncoder().encode(": \n\n")) });
    const stream = parseEventStream(body, stop.signal);
    expect((await stream.next()).value).toMatchObject({ event: "hello" });
    const next = stream.next();
    stop.abort();
    expect((await next).done).toBe(true);
  });
});
