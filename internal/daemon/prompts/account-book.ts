import type { Logger } from "pino";
import {
  type AccountState,
  type AgentVerdict,
  holdsWork,
  nextAccount,
  OPEN_ACCOUNT,
  parseAccount,
} from "../../agents/index.ts";
import type { Clock } from "../../base/index.ts";
import type { Hold } from "../../dispatch/index.ts";

/** How the accounts that agents work under stand, over all lanes and restarts. */
export interface AccountBook {
  /** A run under the account ended so. Durable when it returns, within the commit that it is called in. */
  tell(account: string, verdict: AgentVerdict): void;
  /** A person says that it may be tried again. */
  renew(account: string): void;
  /** What keeps the account's work waiting now. `title` is its agent's. */
  holdOf(account: string, title: string): Hold | null;
  stateOf(account: string): AccountState;
}

/** The store as the book needs it. */
export interface AccountRecords {
  put(key: string, state: string, atMs: number): void;
  remove(key: string): void;
  list(): readonly { readonly key: string; readonly state: string }[];
}

/** The book over its records. A record that cannot be read is an open account. */
export function openAccountBook(deps: {
  readonly records: AccountRecords;
  readonly clock: Clock;
  readonly log: Logger;
  /** An account has changed: jobs may wait, or wait no more. Called in the middle of a commit: only schedule there. */
  readonly onChange: (account: string, state: AccountState) => void;
}): AccountBook {
  const { records, clock, log, onChange } = deps;
  const states = new Map<string, AccountState>();
  for (const { key, state } of records.list()) {
    const parsed = parseAccount(state);
    if (parsed) states.set(key, parsed);
    else log.warn({ account: key.slice(0, 12) }, "the record of an account cannot be read");
  }
  const stateOf = (account: string) => states.get(account) ?? OPEN_ACCOUNT;
  const apply = (account: string, next: AccountState) => {
    if (next === stateOf(account)) return;
    if (next === OPEN_ACCOUNT) records.remove(account);
    else records.put(account, JSON.stringify(next), clock.nowMs());
    states.set(account, next);
    log.info({ account: account.slice(0, 12), state: next }, "account changed");
    onChange(account, next);
  };
  return {
    stateOf,
    tell: (account, verdict) => {
      const event =
        verdict.kind === "succeeded" ? ({ type: "worked" } as const) : ({ ...verdict, type: "failed" } as const);
      apply(account, nextAccount(stateOf(account), event, clock.nowMs()));
    },
    renew: (account) => apply(account, nextAccount(stateOf(account), { type: "renewed" }, clock.nowMs())),
    holdOf: (account, title) => {
      const state = stateOf(account);
      return holdsWork(state, clock.nowMs()) ? toHold(state, title) : null;
    },
  };
}

function toHold(state: AccountState, title: string): Hold | null {
  switch (state.kind) {
    case "open":
      return null;
    case "limited":
      return { reason: "limit", detail: `usage limit of ${title} until ${iso(state.untilMs)}`, untilMs: state.untilMs };
    case "sparing": {
      const detail = `${title} is spared until ${iso(state.untilMs)}: ${state.message}`;
      return { reason: "backoff", detail, untilMs: state.untilMs };
    }
    case "login_needed":
      return { reason: "login", detail: `login needed for ${title}: ${state.message}`, untilMs: null };
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
