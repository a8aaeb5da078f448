import type { AgentFailureFacts } from "../job/index.ts";
import { isTrue, type JsonObject, statusIn, textIn, textsIn } from "./json-fields.ts";

/**
 * What a result line says of a failure, with what was seen before it; null for a success. A failed call of the service
 * ends with `subtype: "success"`.
 */
export function toFacts(
  result: JsonObject,
  seen: { readonly apiError: JsonObject | null; readonly resetsAtMs: number | null },
): AgentFailureFacts | null {
  const httpStatus = statusIn(result, "api_error_status") ?? statusIn(seen.apiError, "api_error_status");
  const subtype = textIn(result, "subtype");
  const reason = textIn(result, "terminal_reason");
  const isFailure =
    isTrue(result, "is_error") ||
    subtype !== "success" ||
    (statusIn(result, "api_error_status") ?? 0) >= 400 ||
    (reason !== null && reason !== "completed");
  if (!isFailure) return null;
  const errors = textsIn(result, "errors").join("; ");
  return {
    message: textIn(result, "result") ?? (errors === "" ? null : errors),
    httpStatus,
    code: toCode({ result, apiError: seen.apiError, subtype, reason }),
    resetsAtMs: seen.resetsAtMs,
  };
}

/** The most telling word first: a message's own `error` says `server_error` for an overload and for a lost connection. */
function toCode(of: {
  readonly result: JsonObject;
  readonly apiError: JsonObject | null;
  readonly subtype: string | null;
  readonly reason: string | null;
}): string | null {
  if (of.reason?.startsWith("aborted")) return of.reason;
  if (textIn(of.result, "api_error_type") === "overloaded_error") return "overloaded_error";
  const cause = textIn(of.result, "api_error");
  if (cause === "connection_failed") return cause;
  return textIn(of.apiError, "error") ?? cause ?? (of.subtype === "success" ? of.reason : of.subtype);
}
