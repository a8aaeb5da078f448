import type { AgentFailureFacts } from "../job/index.ts";
import type { AgentEnd, AgentVerdict, FailureKind } from "./agent.ts";
import { failed, judgeCutOff, judgeSuccess, kindOfStatus } from "./verdicts.ts";

/** Claude's words, in lines on retries, in messages and in results. Status codes are looked at where no word is here. */
const KINDS: Readonly<Record<string, FailureKind>> = {
  authentication_failed: "login",
  oauth_org_not_allowed: "login",
  account_on_hold: "login",
  verification_required: "login",
  cloud_credential_error: "login",
  rate_limit: "limit",
  billing_error: "limit",
  usage_limit_reached: "limit",
  overloaded: "overload",
  overloaded_error: "overload",
  connection_failed: "network",
  invalid_request: "refused",
  model_not_found: "refused",
};

/** Why a run of Claude Code ended. */
export function classifyClaude(end: AgentEnd): AgentVerdict {
  const { final } = end.summary;
  if (!final) return judgeCutOff(end, kindOfText);
  if (final.ok) return judgeSuccess(end);
  const kind = kindOfClaude(final.facts);
  if (kind === "interrupted") return failed(kind, "interrupted before it was done");
  const message = final.facts.message ?? final.facts.code ?? "failed without a word";
  return failed(kind, message, kind === "limit" ? final.facts.resetsAtMs : null);
}

/** Which of the seven kinds these facts are. */
export function kindOfClaude({ code, httpStatus, message }: AgentFailureFacts): FailureKind {
  if (code?.startsWith("aborted")) return "interrupted";
  const known = code !== null && Object.hasOwn(KINDS, code) ? KINDS[code] : undefined;
  const kind = known ?? kindOfStatus(httpStatus) ?? kindOfText(message ?? "");
  if (kind) return kind;
  // No status: there was no answer at all.
  return code === "server_error" ? "network" : "agent";
}

function kindOfText(text: string): FailureKind | null {
  if (/Not logged in|Please run \/login|authentication_error|token (has )?expired/i.test(text)) return "login";
  if (/No conversation found|already in use|unknown option|cannot be used with root/i.test(text)) return "refused";
  return null;
}
