import type { AgentEnd, AgentVerdict, FailureKind } from "./agent.ts";
import { toLine } from "./clip.ts";

/** It did what it was to do. */
export const SUCCEEDED: AgentVerdict = { kind: "succeeded" };

/** A failure in one line. `resetsAtMs`: when a limit ends, if that is known. */
export function failed(failure: FailureKind, message: string, resetsAtMs: number | null = null): AgentVerdict {
  return { kind: "failed", failure, message: toLine(message), resetsAtMs };
}

/** Of a run whose last line says success: the process has to say so too. */
export function judgeSuccess({ exitCode, signal }: AgentEnd): AgentVerdict {
  if (exitCode === 0) return SUCCEEDED;
  const end = signal === null ? `exited with ${exitCode}` : `was ended by ${signal}`;
  return failed(signal === null ? "agent" : "interrupted", `it said that it had succeeded, then ${end}`);
}

/** Of standard error, so many go into a message: what went wrong is often said before what to do. */
const LAST_LINES = 3;

/** Exit codes of a process that a signal ended, as shells and some agents say it: INT, KILL, TERM. */
const SIGNAL_EXITS: readonly (number | null)[] = [130, 137, 143];

/**
 * Of a run without a last line: success never is. An exit of 0 is how some agents end when they are told to. Standard
 * error says why it failed where `kindOf` knows the words.
 */
export function judgeCutOff(
  { exitCode, signal, stderrTail }: AgentEnd,
  kindOf: (stderr: string) => FailureKind | null,
): AgentVerdict {
  if (signal !== null) return failed("interrupted", `ended by ${signal} before its last line`);
  if (exitCode === null || SIGNAL_EXITS.includes(exitCode) || exitCode === 0) {
    return failed("interrupted", `exited with ${exitCode ?? "nothing"} before its last line`);
  }
  const said = lastLines(stderrTail);
  const words = said === "" ? `exited with ${exitCode} and said nothing` : `exited with ${exitCode}: ${said}`;
  return failed(kindOf(stderrTail) ?? "agent", words);
}

/** The last words of a program, in one line; what follows them in a stack trace is none. */
function lastLines(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^\s+at /.test(line));
  return lines.slice(-LAST_LINES).join(" ");
}

/** What an HTTP status of a model service means; null where it is no failure. */
export function kindOfStatus(status: number | null): FailureKind | null {
  if (status === null || status < 400) return null;
  if (status === 401 || status === 403) return "login";
  if (status === 429) return "limit";
  if (status === 408) return "network";
  return status >= 500 ? "overload" : "refused";
}
