import type { AgentEvent } from "../job/index.ts";
import { toLine } from "./clip.ts";
import { type JsonObject, parseObject } from "./json-fields.ts";

/** Of lines that are no JSON objects, so many are passed on: a stream may consist of them. */
const WARNINGS_MAX = 50;

/** A reader of lines that are JSON objects each. Empty lines are nothing, others that are none give a `warning`. */
export function newObjectLines(
  toEvents: (line: JsonObject) => readonly AgentEvent[],
): (text: string) => readonly AgentEvent[] {
  let warnings = 0;
  return (text) => {
    const line = parseObject(text);
    if (line) return toEvents(line);
    const shown = toLine(text);
    if (shown === "" || warnings >= WARNINGS_MAX) return [];
    warnings++;
    const rest = warnings === WARNINGS_MAX ? " (further lines like this are not shown)" : "";
    return [{ type: "warning", message: `not an event: ${shown}${rest}` }];
  };
}
