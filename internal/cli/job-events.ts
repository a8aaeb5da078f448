import { Buffer } from "node:buffer";
import type { ApiJobEvent } from "../protocol/index.ts";
import { toPlain, toPlainText } from "./text.ts";

/** What an event of a job's log means at a terminal. */
export type EventView =
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly bytes: string | Uint8Array }
  /** A remark for the person who waits. */
  | { readonly kind: "note"; readonly text: string }
  /** The job waits for something. */
  | { readonly kind: "waiting"; readonly text: string }
  /** It goes on; what was waited for is over. */
  | { readonly kind: "going" }
  | { readonly kind: "nothing" };

/** Reads the events of one stream, in order. Types of a later version mean nothing. */
export function createEventViewer(): (event: ApiJobEvent) => EventView {
  /** The last of a text whose whole is still to come; null when there is none. */
  let underWay: string | null = null;
  return (event) => {
    if (event.type !== "text") return viewEvent(event);
    const text = toPlainText(String(event.text));
    const before = underWay;
    underWay = event.partial === true ? text : null;
    if (event.partial === true) return { kind: "output", stream: "stdout", bytes: text };
    // Its parts have been shown; a whole text ends its line.
    const rest = before === null ? text : "";
    const bytes = (before ?? text).endsWith("\n") ? rest : `${rest}\n`;
    return bytes === "" ? { kind: "nothing" } : { kind: "output", stream: "stdout", bytes };
  };
}

function viewEvent(event: ApiJobEvent): EventView {
  switch (event.type) {
    case "output":
      return viewOutput(event);
    case "gap":
      return { kind: "note", text: `[${String(event.bytes)} bytes of output were cut]` };
    case "cancelling":
      return { kind: "note", text: `cancelling (${String(event.signal)})` };
    case "state":
      return viewState(event);
    case "tool_started":
      return { kind: "note", text: `${toPlain(String(event.tool))}: ${toPlain(String(event.title))}` };
    case "rate_limited":
    case "warning":
      return { kind: "note", text: toPlain(String(event.message)) };
    case "report":
      return { kind: "note", text: `${toPlain(String(event.level))}: ${toPlainText(String(event.text))}` };
    case "ask":
      return { kind: "note", text: `asks: ${toPlain(String(event.question))}${howToAnswer(event)}` };
    default:
      return { kind: "nothing" };
  }
}

/** Of a question that waits in the inbox; empty for one that the agent only says. */
function howToAnswer({ item, choices }: ApiJobEvent): string {
  if (typeof item !== "string") return "";
  const words = Array.isArray(choices) ? choices.map((choice) => toPlain(String(choice))) : [];
  return `${words.length === 0 ? "" : ` [${words.join(", ")}]`}; answer with: lane answer ${toPlain(item)}`;
}

function viewOutput(event: ApiJobEvent): EventView {
  if (event.raw === true) return { kind: "nothing" };
  const stream = event.stream === "stderr" ? "stderr" : "stdout";
  if (typeof event.text === "string") return { kind: "output", stream, bytes: event.text };
  if (typeof event.base64 === "string") return { kind: "output", stream, bytes: Buffer.from(event.base64, "base64") };
  return { kind: "nothing" };
}

function viewState({ phase, detail }: ApiJobEvent): EventView {
  const text = typeof detail === "string" && detail !== "" ? detail : null;
  switch (phase) {
    case "queued":
    case "dispatching":
    case "accepted":
      return text === null ? { kind: "nothing" } : { kind: "waiting", text: `waiting: ${text}` };
    case "running":
      return text === null ? { kind: "going" } : { kind: "note", text };
    default:
      return { kind: "nothing" };
  }
}
