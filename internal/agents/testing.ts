import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentEvent } from "../job/index.ts";
import type { Agent, AgentEnd, AgentParser, AgentVerdict } from "./agent.ts";
import { newLineSplitter } from "./line-splitter.ts";

/** A run of the real program, recorded. */
export interface RecordedRun {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number;
}

/** One of `testdata/<agent>/<name>.*`. */
export function readRecorded(agent: string, name: string): RecordedRun {
  const read = (ending: string) => readFileSync(join(import.meta.dirname, "testdata", agent, `${name}.${ending}`));
  return { stdout: read("ndjson"), stderr: read("stderr").toString(), exitCode: Number(read("exit").toString()) };
}

/** Everything a parser makes of a stream that comes in these chunks. */
export function readAll(parser: AgentParser, chunks: Iterable<Uint8Array>): readonly AgentEvent[] {
  const events: AgentEvent[] = [];
  const splitter = newLineSplitter({ onSkipped: (bytes) => events.push(toSkipped(bytes)) });
  for (const chunk of chunks) for (const line of splitter.push(chunk)) events.push(...parser.line(line));
  const last = splitter.end();
  if (last !== null) events.push(...parser.line(last));
  return events;
}

/** What is judged at the end of a run. */
export function endOf(run: Pick<RecordedRun, "stderr" | "exitCode">, parser: AgentParser, endedAtMs = 0): AgentEnd {
  return { exitCode: run.exitCode, signal: null, stderrTail: run.stderr, endedAtMs, summary: parser.summary() };
}

/** A recorded run in few words: its events, the sums and the verdict. */
export function replay(agent: Agent, name: string, endedAtMs: number): readonly string[] {
  const run = readRecorded(agent.name, name);
  const parser = agent.newParser();
  const events = readAll(parser, [run.stdout]);
  const { session, text, usage } = parser.summary();
  const sums = usage
    ? `${usage.inputTokens}/${usage.outputTokens}/${usage.cacheReadTokens}, ${renderCost(usage.costUsd)}`
    : "none";
  return [
    ...events.map(renderEvent),
    `= ${session ? session.slice(0, 8) : "no session"}; ${text === null ? "no text" : JSON.stringify(text)}; tokens ${sums}`,
    renderVerdict(agent.classify(endOf(run, parser, endedAtMs))),
  ];
}

/** A verdict in one line. */
export function renderVerdict(verdict: AgentVerdict): string {
  if (verdict.kind === "succeeded") return verdict.kind;
  const until = verdict.resetsAtMs === null ? "" : ` until ${new Date(verdict.resetsAtMs).toISOString()}`;
  return `${verdict.failure}${until}: ${verdict.message}`;
}

function renderEvent({ type, ...rest }: AgentEvent): string {
  return type === "usage" ? type : [type, ...Object.values(rest).map((value) => JSON.stringify(value))].join(" ");
}

function renderCost(cost: number | null): string {
  return cost === null ? "no cost" : `$${cost.toFixed(4)}`;
}

function toSkipped(bytes: number): AgentEvent {
  return { type: "warning", message: `skipped ${bytes}` };
}
