import type { AgentEnd, AgentVerdict, FailureKind } from "./agent.ts";
import { parseWait } from "./reset-time.ts";
import { failed, judgeCutOff, judgeSuccess, kindOfStatus } from "./verdicts.ts";

/** Its own exit codes: no or wrong login, bad input or session, settings, folder not trusted. */
const EXITS: Readonly<Record<number, FailureKind>> = { 41: "login", 42: "refused", 52: "refused", 55: "refused" };

const WORDS: readonly (readonly [RegExp, FailureKind])[] = [
  [/API_KEY_INVALID|API key not valid|UNAUTHENTICATED/, "login"],
  [/exhausted your|exceeded your current quota|RESOURCE_EXHAUSTED/, "limit"],
  [/model is overloaded|UNAVAILABLE/, "overload"],
  [/fetch failed|API Error: terminated|ECONNREFUSED|ENOTFOUND|ETIMEDOUT/, "network"],
];

/** What it always says on standard error. */
const CHATTER = /^(?:YOLO mode|Approval mode overridden|Warning: True color|Ripgrep is not|\[STARTUP\]).*$/gm;

/** Why a run of Gemini CLI ended: its message, its own exit codes, then the status that the exit code was made of. */
export function classifyGemini(end: AgentEnd): AgentVerdict {
  const { exitCode, summary } = end;
  const stderrTail = end.stderrTail.replace(CHATTER, "");
  if (summary.final?.ok) return judgeSuccess(end);
  const message = summary.final?.facts.message ?? null;
  const kind = kindOfExit(exitCode, `${message ?? ""}\n${summary.final ? "" : stderrTail}`);
  if (!summary.final) return judgeCutOff({ ...end, stderrTail }, () => kind);
  const failure = kind ?? kindOfStatus(summary.final.facts.httpStatus) ?? "agent";
  const resetsAtMs = failure === "limit" ? parseWait(message ?? "", end.endedAtMs) : null;
  return failed(failure, message ?? `exited with ${exitCode}`, resetsAtMs);
}

function kindOfExit(exitCode: number | null, text: string): FailureKind | null {
  const known = exitCode === null ? undefined : EXITS[exitCode];
  const words = WORDS.find(([pattern]) => pattern.test(text))?.[1];
  return known ?? words ?? kindOfStatus(statusOf(exitCode));
}

/** It exits with the service's status, of which the system keeps the lowest eight bits: 401 is 145, 529 is 17. */
function statusOf(exitCode: number | null): number | null {
  if (exitCode === 17) return 529;
  return exitCode !== null && exitCode >= 144 && exitCode < 256 ? exitCode + 256 : null;
}
