import type { AgentEnd, AgentVerdict, FailureKind } from "./agent.ts";
import { parseClockTime, parseWait } from "./reset-time.ts";
import { failed, judgeCutOff, judgeSuccess, kindOfStatus } from "./verdicts.ts";

/** The first that matches counts: a lost connection is told with the status or the reason behind it. */
const WORDS: readonly (readonly [RegExp, FailureKind])[] = [
  [/Missing environment variable|could not be refreshed|log out and sign in|not logged in/i, "login"],
  [/usage limit|last status: 429|quota exceeded/i, "limit"],
  [/at capacity|high demand/i, "overload"],
  [/no rollout found|Not inside a trusted directory|unexpected argument|^\s*\{\s*"error"/i, "refused"],
  [/stream disconnected|idle timeout|Connection failed|waiting for network|error sending request/i, "network"],
];

/** Why a run of Codex ended. A limit's end is told as a clock time without a zone: a hint, read as UTC. */
export function classifyCodex(end: AgentEnd): AgentVerdict {
  const { final } = end.summary;
  if (!final) return judgeCutOff(end, kindOfWords);
  if (final.ok) return judgeSuccess(end);
  const message = final.facts.message ?? "failed without a word";
  const kind = kindOfCodex(message);
  const hint = () => parseWait(message, end.endedAtMs) ?? parseClockTime(message, end.endedAtMs);
  return failed(kind, message, kind === "limit" ? hint() : null);
}

/** Which of the seven kinds a message tells of. */
export function kindOfCodex(message: string): FailureKind {
  return kindOfWords(message) ?? "agent";
}

function kindOfWords(text: string): FailureKind | null {
  const status = /(?:unexpected|last) status:? (\d{3})\b/.exec(text)?.[1];
  const byStatus = status === undefined ? null : kindOfStatus(Number(status));
  return byStatus ?? WORDS.find(([words]) => words.test(text))?.[1] ?? null;
}
