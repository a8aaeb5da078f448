import type { AgentEvent, AgentSummary, AgentUsage } from "../job/index.ts";
import type { AgentParser } from "./agent.ts";
import { clip, OUTPUT_MAX, TEXT_MAX, toLine } from "./clip.ts";
import { countIn, type JsonObject, objectIn, objectsIn, statusIn, textIn } from "./json-fields.ts";
import { newObjectLines } from "./object-lines.ts";
import { newOpenEdits } from "./open-edits.ts";
import { isSessionId } from "./session-id.ts";
import { toTitle } from "./tool-title.ts";

const EDITING = new Set(["write_file", "replace"]);

/** Reads `-o stream-json`. A failed command is told as a success, and retries are not told at all. */
export function newGeminiParser(): AgentParser {
  const edits = newOpenEdits();
  let session: string | null = null;
  let text: string | null = null;
  let usage: AgentUsage | null = null;
  let final: AgentSummary["final"] = null;
  /** The text under way: there is no line with all of it. */
  let said = "";

  /** What was said before a tool or the end is a whole text. */
  const endText = (): readonly AgentEvent[] => {
    if (said === "") return [];
    text = said;
    said = "";
    return [{ type: "text", text, partial: false }];
  };

  const readInit = (line: JsonObject): readonly AgentEvent[] => {
    const id = textIn(line, "session_id");
    if (!isSessionId(id) || id === session) return [];
    session = id;
    const model = textIn(line, "model");
    return [{ type: "session", session, model: model === null ? null : toLine(model) }];
  };

  const readMessage = (line: JsonObject): readonly AgentEvent[] => {
    const content = textIn(line, "content");
    if (textIn(line, "role") !== "assistant" || !content) return [];
    if (said.length < TEXT_MAX) said += content.slice(0, TEXT_MAX - said.length);
    return [{ type: "text", text: clip(content, TEXT_MAX), partial: true }];
  };

  const readTool = (line: JsonObject): readonly AgentEvent[] => {
    const [call, tool] = [textIn(line, "tool_id"), textIn(line, "tool_name")];
    if (call === null || tool === null) return [];
    const input = objectIn(line, "parameters");
    const path = textIn(input, "file_path");
    if (path !== null && EDITING.has(tool)) edits.add(call, toLine(path));
    const started = { type: "tool_started", tool: toLine(tool), call: toLine(call), title: toTitle(input) } as const;
    return [...endText(), started, ...(tool === "write_todos" ? [toPlan(input)] : [])];
  };

  const readToolResult = (line: JsonObject): readonly AgentEvent[] => {
    const call = textIn(line, "tool_id");
    if (call === null) return [];
    const path = edits.take(call);
    const ok = textIn(line, "status") === "success";
    const output = textIn(line, "output") ?? textIn(objectIn(line, "error"), "message") ?? "";
    return [
      { type: "tool_finished", call: toLine(call), ok, text: clip(output, OUTPUT_MAX) },
      ...(ok && path !== null ? [{ type: "files_changed", paths: [path] } as const] : []),
    ];
  };

  const readResult = (line: JsonObject): readonly AgentEvent[] => {
    const ended = endText();
    final = toFinal(line);
    const stats = objectIn(line, "stats");
    if (!stats) return ended;
    usage = {
      inputTokens: countIn(stats, "input_tokens"),
      outputTokens: countIn(stats, "output_tokens"),
      cacheReadTokens: countIn(stats, "cached"),
      costUsd: null,
    };
    return [...ended, { type: "usage", usage }];
  };

  return {
    line: newObjectLines((line) => {
      switch (textIn(line, "type")) {
        case "init":
          return readInit(line);
        case "message":
          return readMessage(line);
        case "tool_use":
          return readTool(line);
        case "tool_result":
          return readToolResult(line);
        case "error":
          return [{ type: "warning", message: toLine(textIn(line, "message") ?? "an error without a word") }];
        case "result":
          return readResult(line);
        default:
          return [];
      }
    }),
    summary: () => ({ session, text: said === "" ? text : said, usage, final }),
  };
}

/** The message may be the service's JSON, with the status in it. */
function toFinal(line: JsonObject): AgentSummary["final"] {
  const error = objectIn(line, "error");
  const message = textIn(error, "message");
  const status = /"code":\s*([1-5]\d{2})\b/.exec(message ?? "")?.[1];
  const httpStatus = status === undefined ? statusIn(error, "code") : Number(status);
  const facts = { message, httpStatus, code: textIn(error, "type"), resetsAtMs: null };
  return { ok: textIn(line, "status") === "success", facts };
}

function toPlan(input: JsonObject | null): AgentEvent {
  const steps = objectsIn(input, "todos").map((todo) => ({
    text: toLine(textIn(todo, "description") ?? ""),
    done: textIn(todo, "status") === "completed",
  }));
  return { type: "plan", steps };
}
