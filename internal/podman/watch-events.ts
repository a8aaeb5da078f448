import * as z from "zod";
import type { EngineEvent } from "../lane/index.ts";

/** Longest line taken; a longer one is dropped, as events are hints only. */
const LINE_MAX = 256 * 1024;

const eventSchema = z.object({
  Action: z.string(),
  timeNano: z.number().optional(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()).nullish() }),
});

/** Parses the engine's endless JSON lines. A line that does not fit is left out: events never decide anything. */
export async function* parseEvents(chunks: AsyncIterable<Buffer>): AsyncGenerator<EngineEvent> {
  let rest = "";
  for await (const chunk of chunks) {
    rest += chunk.toString("utf8");
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_MAX) rest = "";
    for (const line of lines) {
      const event = parseEvent(line);
      if (event) yield event;
    }
  }
}

function parseEvent(line: string): EngineEvent | null {
  try {
    const raw = eventSchema.parse(JSON.parse(line));
    return {
      action: raw.Action,
      containerId: raw.Actor.ID,
      containerName: raw.Actor.Attributes?.name ?? "",
      atMs: Math.round((raw.timeNano ?? 0) / 1e6),
    };
  } catch {
    return null;
  }
}
