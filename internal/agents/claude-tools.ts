import type { AgentEvent } from "../job/index.ts";
import { clip, OUTPUT_MAX, toLine } from "./clip.ts";
import { isTrue, type JsonObject, objectIn, objectsIn, textIn, textsIn } from "./json-fields.ts";
import { newOpenEdits } from "./open-edits.ts";
import { toTitle } from "./tool-title.ts";

const EDITING = new Set(["Edit", "MultiEdit", "Write", "NotebookEdit"]);

/** Reads tool calls and their results. */
export interface ClaudeTools {
  /** Of a block `tool_use`. */
  readonly started: (block: JsonObject) => readonly AgentEvent[];
  /** Of a `user` line, whose blocks are results. */
  readonly finished: (line: JsonObject) => readonly AgentEvent[];
}

/** See {@link ClaudeTools}. */
export function newClaudeTools(): ClaudeTools {
  const edits = newOpenEdits();

  const readResult = (block: JsonObject, details: JsonObject | null): readonly AgentEvent[] => {
    const call = textIn(block, "tool_use_id");
    if (textIn(block, "type") !== "tool_result" || call === null) return [];
    const ok = !isTrue(block, "is_error");
    const path = edits.take(call);
    const byShell = textsIn(objectIn(details, "bashEditDiff"), "changedFiles");
    const paths = [...(ok && path !== null ? [path] : []), ...byShell.map(toLine)];
    const text = clip(textIn(block, "content") ?? textsOf(block), OUTPUT_MAX);
    return [
      { type: "tool_finished", call: toLine(call), ok, text },
      ...(paths.length > 0 ? [{ type: "files_changed", paths } as const] : []),
    ];
  };

  return {
    started(block) {
      const [call, tool] = [textIn(block, "id"), textIn(block, "name")];
      if (call === null || tool === null) return [];
      const input = objectIn(block, "input");
      const path = textIn(input, "file_path") ?? textIn(input, "notebook_path");
      if (path !== null && EDITING.has(tool)) edits.add(call, toLine(path));
      const title = toTitle(input);
      return [{ type: "tool_started", tool: toLine(tool), call: toLine(call), title }, ...toMore(tool, input)];
    },
    finished: (line) =>
      objectsIn(objectIn(line, "message"), "content").flatMap((block) =>
        readResult(block, objectIn(line, "tool_use_result")),
      ),
  };
}

/** Two tools are more than that: one keeps the plan, one asks the person. */
function toMore(tool: string, input: JsonObject | null): readonly AgentEvent[] {
  if (tool === "TodoWrite") {
    const steps = objectsIn(input, "todos").map((todo) => ({
      text: toLine(textIn(todo, "content") ?? ""),
      done: textIn(todo, "status") === "completed",
    }));
    return [{ type: "plan", steps }];
  }
  if (tool !== "AskUserQuestion") return [];
  return objectsIn(input, "questions").map((question) => ({
    type: "ask",
    question: toLine(textIn(question, "question") ?? ""),
    choices: objectsIn(question, "options").map((option) => toLine(textIn(option, "label") ?? "")),
  }));
}

function textsOf(block: JsonObject): string {
  return objectsIn(block, "content")
    .flatMap((part) => textIn(part, "text") ?? [])
    .join("\n");
}
