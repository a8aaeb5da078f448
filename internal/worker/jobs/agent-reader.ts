import { AGENTS, newLineSplitter } from "../../agents/index.ts";
import type { AgentEvent, AgentSummary } from "../../job/index.ts";
import { AGENT_LIMITS } from "../../protocol/link-terms.ts";

/** Reads an agent's standard output while it comes, beside the raw stream. */
export interface AgentReader {
  push(bytes: Buffer): void;
  /** Nothing comes after this: reads a last line without its end. */
  end(): void;
  summary(): AgentSummary;
}

/** How a reader hands over what it read. */
export interface AgentSink {
  /** Takes events; false when they could not be kept. */
  readonly emit: (events: readonly AgentEvent[]) => boolean;
  /** Calls `flush` at the end of this tick. */
  readonly schedule: (flush: () => void) => void;
}

/** A reader for the agent of this name; null for a name that this build does not know. */
export function createAgentReader(name: string, sink: AgentSink): AgentReader | null {
  const agent = AGENTS.find((one) => one.name === name);
  if (!agent) return null;
  const parser = agent.newParser();
  let pending: AgentEvent[] = [];
  let scheduled = false;
  const flush = () => {
    scheduled = false;
    const events = pending;
    pending = [];
    if (events.length > 0) sink.emit(events);
  };
  const take = (events: readonly AgentEvent[]) => {
    for (const event of events) pending.push(clip(event));
    if (scheduled || pending.length === 0) return;
    scheduled = true;
    sink.schedule(flush);
  };
  const lines = newLineSplitter({
    onSkipped: (bytes) => take([{ type: "warning", message: `a line of ${bytes} bytes was skipped` }]),
  });
  return {
    push: (bytes) => {
      for (const line of lines.push(bytes)) take(parser.line(line));
    },
    end: () => {
      const rest = lines.end();
      if (rest !== null) take(parser.line(rest));
      flush();
    },
    summary: () => clip(parser.summary()),
  };
}

/** Names of fields that hold whole texts; all others hold names. */
const TEXTS: ReadonlySet<string> = new Set(["text", "message", "question"]);

/** The value with every text and list cut to what a frame takes. */
function clip<T>(value: T): T {
  return clipAny(value, "") as T;
}

function clipAny(value: unknown, field: string): unknown {
  if (typeof value === "string") return clipText(value, TEXTS.has(field) ? AGENT_LIMITS.text : AGENT_LIMITS.name);
  if (Array.isArray(value)) return value.slice(0, AGENT_LIMITS.list).map((one) => clipAny(one, field));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, clipAny(one, name)]));
}

function clipText(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}
