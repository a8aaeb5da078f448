import type { AgentEvent, AgentFailureFacts, AgentSummary, AgentUsage } from "../job/index.ts";
import type { AgentParser } from "./agent.ts";
import { clip, TEXT_MAX, toLine } from "./clip.ts";
import { newCodexItems } from "./codex-items.ts";
import { kindOfCodex } from "./codex-verdict.ts";
import { countIn, type JsonObject, objectIn, textIn } from "./json-fields.ts";
import { newObjectLines } from "./object-lines.ts";
import { isSessionId } from "./session-id.ts";

const NO_FACTS: AgentFailureFacts = { message: null, httpStatus: null, code: null, resetsAtMs: null };

/** Reads `codex exec --json`. It has no pieces of texts: a long answer is silent until it is whole. */
export function newCodexParser(): AgentParser {
  const items = newCodexItems();
  let session: string | null = null;
  let text: string | null = null;
  let usage: AgentUsage | null = null;
  let final: AgentSummary["final"] = null;

  const readThread = (line: JsonObject): readonly AgentEvent[] => {
    const id = textIn(line, "thread_id");
    if (!isSessionId(id) || id === session) return [];
    session = id;
    return [{ type: "session", session, model: null }];
  };

  const readItem = (line: JsonObject): readonly AgentEvent[] => {
    const item = objectIn(line, "item");
    const said = textIn(item, "type") === "agent_message" ? textIn(item, "text") : null;
    if (said === null) return items.completed(item);
    text = clip(said, TEXT_MAX);
    return [{ type: "text", text, partial: false }];
  };

  const readEnd = (line: JsonObject): readonly AgentEvent[] => {
    const used = objectIn(line, "usage");
    final = { ok: true, facts: NO_FACTS };
    if (!used) return [];
    usage = {
      inputTokens: countIn(used, "input_tokens"),
      outputTokens: countIn(used, "output_tokens"),
      cacheReadTokens: countIn(used, "cached_input_tokens"),
      costUsd: null,
    };
    return [{ type: "usage", usage }];
  };

  return {
    line: newObjectLines((line) => {
      switch (textIn(line, "type")) {
        case "thread.started":
          return readThread(line);
        case "item.started":
          return items.started(objectIn(line, "item"));
        case "item.updated":
          return items.updated(objectIn(line, "item"));
        case "item.completed":
          return readItem(line);
        case "error":
          return [toNotice(textIn(line, "message") ?? "an error without a word")];
        case "turn.completed":
          return readEnd(line);
        case "turn.failed":
          final = { ok: false, facts: toFacts(textIn(objectIn(line, "error"), "message")) };
          return [];
        default:
          return [];
      }
    }),
    summary: () => ({ session, text, usage, final }),
  };
}

/** Such a line is not final: it goes on, or `turn.failed` comes next and says the same. */
function toNotice(message: string): AgentEvent {
  if (!message.startsWith("Reconnecting")) return { type: "warning", message: toLine(message) };
  return { type: "rate_limited", message: toLine(message), resetsAtMs: null, cause: kindOfCodex(message) };
}

function toFacts(message: string | null): AgentFailureFacts {
  const status = /status:? ([1-5]\d{2})\b/.exec(message ?? "")?.[1];
  return { ...NO_FACTS, message, httpStatus: status === undefined ? null : Number(status) };
}
