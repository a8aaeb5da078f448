import type { AgentEvent, AgentSummary, AgentUsage } from "../job/index.ts";
import type { AgentParser } from "./agent.ts";
import { toFacts } from "./claude-facts.ts";
import { newClaudeTools } from "./claude-tools.ts";
import { addUsage, toClaudeUsage } from "./claude-usage.ts";
import { kindOfClaude } from "./claude-verdict.ts";
import { clip, TEXT_MAX, toLine } from "./clip.ts";
import { isTrue, type JsonObject, numberIn, objectIn, objectsIn, statusIn, textIn } from "./json-fields.ts";
import { newObjectLines } from "./object-lines.ts";
import { isSessionId } from "./session-id.ts";

const NOTHING: readonly AgentEvent[] = [];

/** Reads `--output-format stream-json`, with or without partial messages. The order of a line's fields is not fixed. */
export function newClaudeParser(): AgentParser {
  const tools = newClaudeTools();
  let session: string | null = null;
  let text: string | null = null;
  let usage: AgentUsage | null = null;
  let final: AgentSummary["final"] = null;
  /** The last message, if it stands for a failed call of the service. */
  let apiError: JsonObject | null = null;
  /** Of the last limit that was reported and not lifted. */
  let resetsAtMs: number | null = null;

  const readInit = (line: JsonObject): readonly AgentEvent[] => {
    const id = textIn(line, "session_id");
    // Sent again at the start of each turn.
    if (!isSessionId(id) || id === session) return NOTHING;
    session = id;
    const model = textIn(line, "model");
    return [{ type: "session", session, model: model === null ? null : toLine(model) }];
  };

  const readAssistant = (line: JsonObject): readonly AgentEvent[] => {
    const blocks = objectsIn(objectIn(line, "message"), "content");
    if (textIn(line, "error") !== null || isTrue(line, "is_api_error_message")) {
      apiError = line;
      return blocks.flatMap((block) => warn(textIn(block, "text")));
    }
    apiError = null;
    return blocks.flatMap((block): readonly AgentEvent[] => {
      if (textIn(block, "type") === "tool_use") return tools.started(block);
      // What a sub-agent says is said to the agent.
      if (textIn(line, "parent_tool_use_id") !== null) return NOTHING;
      const thought = textIn(block, "thinking");
      if (thought) return [{ type: "thinking", text: clip(thought, TEXT_MAX) }];
      const said = textIn(block, "type") === "text" ? textIn(block, "text") : null;
      if (!said) return NOTHING;
      text = clip(said, TEXT_MAX);
      return [{ type: "text", text, partial: false }];
    });
  };

  const readLimit = (line: JsonObject): readonly AgentEvent[] => {
    const info = objectIn(line, "rate_limit_info");
    const [status, window] = [textIn(info, "status"), textIn(info, "rateLimitType")];
    const untilMs = toMs(numberIn(info, "resetsAt"));
    resetsAtMs = status === "rejected" ? untilMs : null;
    const which = toLine(`${window ?? "usage"} limit`);
    if (status === "rejected") {
      return [{ type: "rate_limited", message: `${which} reached`, resetsAtMs: untilMs, cause: "limit" }];
    }
    return status === "allowed_warning" ? warn(`${which} is near`) : NOTHING;
  };

  const readResult = (line: JsonObject): readonly AgentEvent[] => {
    const used = toClaudeUsage(line);
    usage = usage ? addUsage(usage, used) : used;
    const facts = toFacts(line, { apiError, resetsAtMs });
    final = { ok: facts === null, facts: facts ?? { message: null, httpStatus: null, code: null, resetsAtMs: null } };
    const answer = textIn(line, "result");
    if (facts === null && answer !== null) text = clip(answer, TEXT_MAX);
    const denied = objectsIn(line, "permission_denials").map((denial) => textIn(denial, "tool_name") ?? "a tool");
    const denials = denied.length > 0 ? warn(`not allowed to use: ${[...new Set(denied)].join(", ")}`) : NOTHING;
    return [...denials, { type: "usage", usage }];
  };

  return {
    line: newObjectLines((line) => {
      switch (textIn(line, "type")) {
        case "stream_event":
          return toDelta(line);
        case "assistant":
          return readAssistant(line);
        case "user":
          return tools.finished(line);
        case "rate_limit_event":
          return readLimit(line);
        case "result":
          return readResult(line);
        case "system": {
          const subtype = textIn(line, "subtype");
          if (subtype === "init") return readInit(line);
          return subtype === "api_retry" ? [toRetry(line)] : NOTHING;
        }
        default:
          return NOTHING;
      }
    }),
    summary: () => ({ session, text, usage, final }),
  };
}

/** The piece of text in an event of the service; those of sub-agents and of tools' inputs are none. */
function toDelta(line: JsonObject): readonly AgentEvent[] {
  const event = objectIn(line, "event");
  if (textIn(event, "type") !== "content_block_delta" || textIn(line, "parent_tool_use_id") !== null) return NOTHING;
  const delta = objectIn(event, "delta");
  const text = textIn(delta, "type") === "text_delta" ? textIn(delta, "text") : null;
  return text ? [{ type: "text", text: clip(text, TEXT_MAX), partial: true }] : NOTHING;
}

/** Seconds since the epoch as ms; null for what is no time of this millennium. */
function toMs(seconds: number | null): number | null {
  return seconds !== null && seconds > 0 && seconds < 32_503_680_000 ? Math.ceil(seconds * 1000) : null;
}

function toRetry(line: JsonObject): AgentEvent {
  const [status, code] = [statusIn(line, "error_status"), textIn(line, "error")];
  const [attempt, most] = [numberIn(line, "attempt") ?? "?", numberIn(line, "max_retries") ?? "?"];
  const waitS = ((numberIn(line, "retry_delay_ms") ?? 0) / 1000).toFixed(1);
  const what = status === null ? "the service did not answer" : `${code ?? "refused"} (${status})`;
  const message = toLine(`${what}: try ${attempt} of ${most} in ${waitS} s`);
  const kind = kindOfClaude({ code, httpStatus: status, message: null, resetsAtMs: null });
  // Without a status there was no answer.
  const cause = kind === "agent" && status === null ? "network" : kind;
  return { type: "rate_limited", message, resetsAtMs: null, cause };
}

function warn(message: string | null): readonly AgentEvent[] {
  return message ? [{ type: "warning", message: toLine(message) }] : NOTHING;
}
