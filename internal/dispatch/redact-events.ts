import type { JobError, JobResult, OutputChunk, WorkerEvent, WorkerOutcome } from "../job/index.ts";

/** Takes secrets out of a text; the same text when there is none. */
export type Redact = (text: string) => string;

type Output = Extract<WorkerEvent, { readonly type: "output" }>;

/**
 * The events with every secret taken out. A secret that the pipe cut in two is found when both halves are in `events`:
 * output that follows on output of the same stream is also looked at as one text.
 */
export function redactEvents(events: readonly WorkerEvent[], redact: Redact): readonly WorkerEvent[] {
  const out: WorkerEvent[] = [];
  for (const stream of ["stdout", "stderr"] as const) {
    const chunks = events.flatMap((event, at) => (isOutputOf(event, stream) ? [{ event, at }] : []));
    const texts = redactRun(
      chunks.map(({ event }) => textOf(event)),
      redact,
    );
    chunks.forEach(({ event, at }, i) => {
      out[at] = withText(event, texts[i] ?? "");
    });
  }
  return events.map((event, at) => out[at] ?? redactOther(event, redact));
}

/** Each text redacted; where a secret spans several, the run's whole text stands in the first and the rest is empty. */
function redactRun(texts: readonly string[], redact: Redact): readonly string[] {
  const joined = texts.join("");
  const clean = redact(joined);
  if (clean === joined) return texts;
  const each = texts.map(redact);
  return each.join("") === clean ? each : texts.map((_, i) => (i === 0 ? clean : ""));
}

function isOutputOf(event: WorkerEvent, stream: "stdout" | "stderr"): event is Output {
  return event.type === "output" && event.stream === stream;
}

/** Bytes that are not UTF-8 are looked at byte by byte: secrets are ASCII. */
function textOf(chunk: OutputChunk): string {
  return "text" in chunk ? chunk.text : Buffer.from(chunk.base64, "base64").toString("latin1");
}

function withText(event: Output, text: string): WorkerEvent {
  if (text === textOf(event)) return event;
  if ("text" in event) return { ...event, text };
  return { ...event, base64: Buffer.from(text, "latin1").toString("base64") };
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
