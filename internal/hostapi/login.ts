import { AppError, type Clock, randomHex } from "../base/index.ts";
import { oneTimeSecrets } from "./one-time.ts";

/** One-time codes by which a browser gets the token: they stand in the fragment of the page's address. */
export interface LoginDesk {
  /** A fresh code. `expiresAtMs` is wall time. */
  issue(): { readonly code: string; readonly expiresAtMs: number };
  /** The token, for a code that is used for the first time. @throws request.unauthorized, request.forbidden */
  redeem(code: string): string;
}

/** Long enough to start a browser. */
const CODE_LIFE_MS = 5 * 60_000;
/** Codes that nobody used: the oldest go. */
const CODES_MAX = 32;
const CODE_BYTES = 16;
/** Wrong codes in a minute. Nobody guesses 128 bits; it is the work of answering that is bounded. */
const FAILURES_MAX = 30;
const FAILURES_WINDOW_MS = 60_000;

/** @param token what a code is exchanged for */
export function createLoginDesk({ token, clock }: { readonly token: string; readonly clock: Clock }): LoginDesk {
  const codes = oneTimeSecrets<true>({ clock, lifeMs: CODE_LIFE_MS, max: CODES_MAX });
  let failures: readonly number[] = [];
  return {
    issue() {
      const code = randomHex(CODE_BYTES);
      codes.put(code, true);
      return { code, expiresAtMs: clock.nowMs() + CODE_LIFE_MS };
    },
    redeem(code) {
      // First: whoever floods this with wrong codes must not keep the right one out.
      if (codes.take(code)) return token;
      const nowMs = clock.monotonicMs();
      failures = failures.filter((atMs) => nowMs - atMs < FAILURES_WINDOW_MS);
      if (failures.length >= FAILURES_MAX) {
        throw new AppError({
          code: "request.forbidden",
          message: "too many wrong codes",
          hint: "wait a minute, then: lane open",
          retry: "retryable",
        });
      }
      failures = [...failures, nowMs];
      throw new AppError({
        code: "request.unauthorized",
        message: "the code in this address was used before, or is too old",
        hint: "open the page anew: lane open",
      });
    },
  };
}
