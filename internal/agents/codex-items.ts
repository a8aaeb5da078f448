import type { AgentEvent } from "../job/index.ts";
import { clip, OUTPUT_MAX, TEXT_MAX, toLine } from "./clip.ts";
import { isTrue, type JsonObject, numberIn, objectIn, objectsIn, textIn } from "./json-fields.ts";

/** So many commands may be under way before the lengths of their outputs are forgotten. */
const OPEN_MAX = 1000;

/** Reads the items of a turn, but for messages. */
export interface CodexItems {
  readonly started: (item: JsonObject | null) => readonly AgentEvent[];
  readonly updated: (item: JsonObject | null) => readonly AgentEvent[];
  readonly completed: (item: JsonObject | null) => readonly AgentEvent[];
}

/** See {@link CodexItems}. */
export function newCodexItems(): CodexItems {
  /** Characters of output that were passed on, by command: an update repeats all of it. */
  const shown = new Map<string, number>();

  const readOutput = (call: string, item: JsonObject | null): readonly AgentEvent[] => {
    const output = textIn(item, "aggregated_output") ?? "";
    const from = shown.get(call) ?? 0;
    if (output.length <= from) return [];
    if (shown.size >= OPEN_MAX) shown.clear();
    shown.set(call, output.length);
    return [{ type: "tool_output", call, text: clip(output.slice(from), OUTPUT_MAX) }];
  };

  return {
    started(item) {
      const [call, tool] = [callOf(item), toTool(item)];
      if (textIn(item, "type") === "todo_list") return [toPlan(item)];
      return tool === null ? [] : [{ type: "tool_started", call, ...tool }];
    },
    updated(item) {
      const type = textIn(item, "type");
      if (type === "command_execution") return readOutput(callOf(item), item);
      return type === "todo_list" ? [toPlan(item)] : [];
    },
    completed(item) {
      shown.delete(callOf(item));
      return toCompleted(item);
    },
  };
}

function toCompleted(item: JsonObject | null): readonly AgentEvent[] {
  const call = callOf(item);
  const status = textIn(item, "status");
  switch (textIn(item, "type")) {
    case "reasoning":
      return [{ type: "thinking", text: clip(textIn(item, "text") ?? "", TEXT_MAX) }];
    case "command_execution": {
      const ok = status === "completed" && (numberIn(item, "exit_code") ?? 0) === 0;
      return [{ type: "tool_finished", call, ok, text: clip(textIn(item, "aggregated_output") ?? "", OUTPUT_MAX) }];
    }
    case "mcp_tool_call": {
      const error = textIn(objectIn(item, "error"), "message");
      return [{ type: "tool_finished", call, ok: status === "completed" && error === null, text: toLine(error ?? "") }];
    }
    case "web_search":
      return [{ type: "tool_finished", call, ok: true, text: "" }];
    case "file_change": {
      const paths = objectsIn(item, "changes").flatMap((change) => textIn(change, "path") ?? []);
      if (status === "completed") return [{ type: "files_changed", paths: paths.map(toLine) }];
      return [{ type: "warning", message: toLine(`a change was not made: ${paths.join(", ")}`) }];
    }
    case "todo_list":
      return [toPlan(item)];
    case "error":
      return [{ type: "warning", message: toLine(textIn(item, "message") ?? "an error without a word") }];
    default:
      return [];
  }
}

/** How a call is named; null for items that are no calls of tools. */
function toTool(item: JsonObject | null): { readonly tool: string; readonly title: string } | null {
  switch (textIn(item, "type")) {
    case "command_execution":
      return { tool: "shell", title: toLine(textIn(item, "command") ?? "") };
    case "mcp_tool_call":
      return { tool: toLine(textIn(item, "tool") ?? "mcp"), title: toLine(textIn(item, "server") ?? "") };
    case "web_search":
      return { tool: "web_search", title: toLine(textIn(item, "query") ?? "") };
    default:
      return null;
  }
}

function toPlan(item: JsonObject | null): AgentEvent {
  const steps = objectsIn(item, "items").map((step) => ({
    text: toLine(textIn(step, "text") ?? ""),
    done: isTrue(step, "completed"),
  }));
  return { type: "plan", steps };
}

function callOf(item: JsonObject | null): string {
  return toLine(textIn(item, "id") ?? "");
}
