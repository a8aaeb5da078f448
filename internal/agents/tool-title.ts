import { toLine } from "./clip.ts";
import { type JsonObject, textIn } from "./json-fields.ts";

/** What tells most of a tool's input, best first; agents name the same things differently. */
const TELLING = [
  ...["command", "file_path", "notebook_path", "absolute_path", "path", "dir_path", "pattern", "query", "url"],
  ...["description", "prompt"],
];

/** One line on what a tool is to do, of its input; empty when that does not say. */
export function toTitle(input: JsonObject | null): string {
  for (const key of TELLING) {
    const text = textIn(input, key);
    if (text !== null) return toLine(text);
  }
  return "";
}
