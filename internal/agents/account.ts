import type { FailureKind } from "./agent.ts";

/**
 * The account that agents of all lanes work under, as far as it keeps work from being started.
 *
 * ```
 *          limit                       renewed, or its time has come
 *  open -----------> limited ---------------------------------------> open
 *   |  \-- overload, network --> sparing ----- its time has come ----> open (strikes stay until something works)
 *   \----- login ----> login_needed -------------------- renewed ----> open
 * ```
 */
export type AccountState =
  | { readonly kind: "open"; readonly strikes: number }
  /** The usage limit is reached. */
  | { readonly kind: "limited"; readonly untilMs: number; readonly message: string }
  /** The service is overloaded or out of reach: `strikes` times in a row now. */
  | { readonly kind: "sparing"; readonly untilMs: number; readonly strikes: number; readonly message: string }
  /** No work until somebody logs in. */
  | { readonly kind: "login_needed"; readonly sinceMs: number; readonly message: string };

/** What happens to an account. */
export type AccountEvent =
  | {
      readonly type: "failed";
      readonly failure: FailureKind;
      readonly message: string;
      /** When the limit ends by the agent's account, ms since the epoch. */
      readonly resetsAtMs: number | null;
    }
  | { readonly type: "worked" }
  /** Another credential is there, or a person says that it may be tried again. */
  | { readonly type: "renewed" };

/** An account nothing is known of. */
export const OPEN_ACCOUNT: AccountState = { kind: "open", strikes: 0 };

/** A limit whose end nobody tells is tried again after this long. */
const UNKNOWN_LIMIT_MS = 15 * 60_000;
/** A limit is not believed to last longer: the longest known is a week, and a lane's word must not stop others for ever. */
const LONGEST_LIMIT_MS = 7 * 24 * 3_600_000;
/** Reset times are told in whole seconds, by another clock. */
const RESET_SLACK_MS = 2000;
const SPARE_BASE_MS = 30_000;
const SPARE_MAX_MS = 15 * 60_000;

/** The account after an event. Pure; the same value when nothing changes. */
export function nextAccount(state: AccountState, event: AccountEvent, nowMs: number): AccountState {
  if (event.type === "renewed") return OPEN_ACCOUNT;
  if (event.type === "worked") return state.kind === "login_needed" || isNew(state) ? state : OPEN_ACCOUNT;
  const { failure, message } = event;
  switch (failure) {
    case "login":
      return state.kind === "login_needed" ? state : { kind: "login_needed", sinceMs: nowMs, message };
    case "limit": {
      const untilMs = limitEnd(event.resetsAtMs, nowMs);
      // Two lanes at one limit: the later word of the same limit changes nothing.
      if (state.kind === "limited" && state.untilMs >= untilMs) return state;
      return state.kind === "login_needed" ? state : { kind: "limited", untilMs, message };
    }
    case "overload":
    case "network": {
      if (state.kind === "login_needed" || state.kind === "limited") return state;
      const strikes = state.strikes + 1;
      const waitMs = Math.min(SPARE_MAX_MS, SPARE_BASE_MS * 2 ** (strikes - 1));
      return { kind: "sparing", untilMs: nowMs + waitMs, strikes, message };
    }
    default:
      return state;
  }
}

function isNew(state: AccountState): boolean {
  return state.kind === "open" && state.strikes === 0;
}

function limitEnd(resetsAtMs: number | null, nowMs: number): number {
  if (resetsAtMs === null || resetsAtMs <= nowMs) return nowMs + UNKNOWN_LIMIT_MS;
  return Math.min(resetsAtMs + RESET_SLACK_MS, nowMs + LONGEST_LIMIT_MS);
}

/** A state as it was put on record, in JSON; null when it is none. */
export function parseAccount(text: string): AccountState | null {
  try {
    const value = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
    const { kind, strikes, untilMs, sinceMs, message } = value ?? {};
    if (kind === "open" && isCount(strikes)) return { kind, strikes };
    if (typeof message !== "string") return null;
    if (kind === "limited" && isCount(untilMs)) return { kind, untilMs, message };
    if (kind === "sparing" && isCount(untilMs) && isCount(strikes)) return { kind, untilMs, strikes, message };
    return kind === "login_needed" && isCount(sinceMs) ? { kind, sinceMs, message } : null;
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Does the account keep work waiting now? */
export function holdsWork(state: AccountState, nowMs: number): boolean {
  if (state.kind === "open") return false;
  return state.kind === "login_needed" || state.untilMs > nowMs;
}
