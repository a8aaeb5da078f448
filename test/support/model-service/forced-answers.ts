import type { Failure, Vendor } from "./vendor.ts";

/** An answer forced from outside, whatever the prompts say. */
export interface Rule {
  /** Left out: all vendors. */
  readonly vendor?: Vendor;
  /** The key or token itself; only its digest is kept. Left out: all accounts. */
  readonly credential?: string;
  readonly failure: Failure;
  /** When it stops to count, ms since the epoch. */
  readonly untilMs?: number;
}

/** What is forced on whom, and what was used up. An account is the digest of its credential. */
export interface ForcedAnswers {
  /** Later rules win. Returns what takes the rule away. */
  add(rule: Omit<Rule, "credential">, account: string | null): () => void;
  find(vendor: Vendor, account: string | null): Failure | null;
  /** Counts a use of something; was it one of the first `times`? */
  spend(what: string, times: number): boolean;
}

/** Nothing is forced at first. */
export function newForcedAnswers(): ForcedAnswers {
  const rules = new Set<Omit<Rule, "credential"> & { readonly account: string | null }>();
  const uses = new Map<string, number>();
  return {
    add(rule, account) {
      const kept = { ...rule, account };
      rules.add(kept);
      return () => rules.delete(kept);
    },
    find(vendor, account) {
      const found = [...rules].findLast(
        (rule) =>
          (rule.vendor === undefined || rule.vendor === vendor) &&
          (rule.account === null || rule.account === account) &&
          (rule.untilMs === undefined || Date.now() < rule.untilMs),
      );
      return found?.failure ?? null;
    },
    spend(what, times) {
      const used = uses.get(what) ?? 0;
      uses.set(what, used + 1);
      return used < times;
    },
  };
}
