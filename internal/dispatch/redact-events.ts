import type { JobError, JobResult, WorkerEvent, WorkerOutcome } from "../job/index.ts";

/** Takes secrets out of a text; the same text when there is none. */
export type Redact = (text: string) => string;

/** A piece of a text that goes on from event to event. */
type Piece = Extract<WorkerEvent, { readonly type: "output" | "text" | "tool_output" }>;

/**
 * The events with every secret taken out. A secret that came in pieces, as the pipe cut it or as a model says it, is
 * found when all of them are in `events`: output of the same stream, text under way and output of the same tool are
 * also looked at as one text.
 */
export function redactEvents(events: readonly WorkerEvent[], redact: Redact): readonly WorkerEvent[] {
  const out: WorkerEvent[] = [];
  const runs = new Map<string, { readonly at: number; readonly event: Piece }[]>();
  for (const [at, event] of events.entries()) {
    const name = runOf(event);
    if (name === null) continue;
    const run = runs.get(name) ?? [];
    run.push({ at, event: event as Piece });
    runs.set(name, run);
  }
  for (const pieces of runs.values()) {
    const texts = redactRun(
      pieces.map(({ event }) => textOf(event)),
      redact,
    );
    pieces.forEach(({ event, at }, i) => {
      out[at] = withText(event, texts[i] ?? "");
    });
  }
  return events.map((event, at) => out[at] ?? redactOther(event, redact));
}

/** Names the text that the event is a piece of; null for one that stands for itself. */
function runOf(event: WorkerEvent): string | null {
  if (event.type === "output") return event.stream;
  if (event.type === "text") return event.partial ? "text" : null;
  return event.type === "tool_output" ? `tool ${event.call}` : null;
}

/** Each text redacted; where a secret spans several, the run's whole text stands in the first and the rest is empty. */
function redactRun(texts: readonly string[], redact: Redact): readonly string[] {
  const joined = texts.join("");
  const clean = redact(joined);
  if (clean === joined) return texts;
  const each = texts.map(redact);
  return each.join("") === clean ? each : texts.map((_, i) => (i === 0 ? clean : ""));
}

/** Bytes that are not UTF-8 are looked at byte by byte: secrets are ASCII. */
function textOf(piece: Piece): string {
  return "text" in piece ? piece.text : Buffer.from(piece.base64, "base64").toString("latin1");
}

function withText(piece: Piece, text: string): WorkerEvent {
  if (text === textOf(piece)) return piece;
  if ("text" in piece) return { ...piece, text };
  return { ...piece, base64: Buffer.from(text, "latin1").toString("base64") };
}

function redactOther(event: WorkerEvent, redact: Redact): WorkerEvent {
  switch (event.type) {
    case "finished":
      return { ...event, outcome: redactOutcome(event.outcome, redact) };
    case "started":
    case "gap":
    case "cancelling":
      return event;
    default:
      return redactTexts(event, redact);
  }
}

/** The value with every text in it redacted; the same value when nothing was found. */
function redactTexts<T>(value: T, redact: Redact): T {
  const text = JSON.stringify(value, (_, one: unknown) => (typeof one === "string" ? redact(one) : one));
  return JSON.parse(text) as T;
}

function redactOutcome(outcome: WorkerOutcome, redact: Redact): WorkerOutcome {
  const { stderrTail, agent } = outcome.result;
  const result: JobResult = {
    ...outcome.result,
    stderrTail: redact(stderrTail),
    ...(agent && { agent: redactTexts(agent, redact) }),
  };
  return outcome.kind === "failed"
    ? { ...outcome, result, error: redactError(outcome.error, redact) }
    : { ...outcome, result };
}

/** An error with every secret taken out of its message. */
export function redactError(error: JobError, redact: Redact): JobError {
  return { code: error.code, message: redact(error.message) };
}
