/** Where a lane's branch stands on both sides. */
export interface SyncFacts {
  /** The branch's tip in the lane; null when it is not there. */
  readonly lane: string | null;
  /** Its tip on the host. */
  readonly host: string | null;
  /** The tip on which both last agreed. */
  readonly base: string | null;
  /** How the tips are related; only asked where both have moved. */
  readonly ancestry: "lane-is-ahead" | "host-is-ahead" | "apart" | null;
}

/** What is to be done. */
export type SyncDecision =
  | { readonly kind: "same" }
  /** The host's branch follows the lane, from the tip it has now. */
  | { readonly kind: "take"; readonly to: string; readonly from: string }
  /** The lane's branch follows the host. */
  | { readonly kind: "give"; readonly to: string; readonly from: string }
  /** Both have moved apart, or the branch is gone on one side: a person decides. */
  | { readonly kind: "diverged"; readonly lane: string | null; readonly host: string | null };

/** Have both sides moved? Then their ancestry has to be looked up. */
export function needsAncestry({ lane, host, base }: Omit<SyncFacts, "ancestry">): boolean {
  return lane !== null && host !== null && lane !== host && lane !== base && host !== base;
}

/**
 * Decides by what has moved since both last agreed. A side that has not moved follows the other one wherever it went,
 * also back or sideways (an amended or rebased commit): what it leaves was known to both.
 */
export function decideSync({ lane, host, base, ancestry }: SyncFacts): SyncDecision {
  if (lane === host) return { kind: "same" };
  if (lane === null || host === null) return { kind: "diverged", lane, host };
  if (host === base || ancestry === "lane-is-ahead") return { kind: "take", to: lane, from: host };
  if (lane === base || ancestry === "host-is-ahead") return { kind: "give", to: host, from: lane };
  return { kind: "diverged", lane, host };
}
