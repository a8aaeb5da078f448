import type { Tx } from "./tx.ts";

/** How long an answer is kept for its key. */
const KEPT_FOR_MS = 86_400_000;

/** What a request with an idempotency key was answered. */
interface KeptAnswer {
  /** Digest of what was asked for. */
  readonly hash: string;
  readonly status: number;
  /** JSON; null for an answer without a body. */
  readonly body: string | null;
}

/** Answers by the idempotency keys of their requests, for a day. Synchronous, durable on return. */
export interface RequestKeys {
  /** `scope`: within which a key means one request, as the route. Null for a key that is new, or too old. */
  find(scope: string, key: string): KeptAnswer | null;
  /** Keeps an answer, and drops those that are too old. */
  put(scope: string, key: string, answer: KeptAnswer): void;
  /** Whatever `fn` changes in the store, and the answers it keeps: all or nothing, in one commit. */
  together<T>(fn: () => T): T;
}

/** The keys in `tx`. `nowMs`: wall time. */
export function createRequestKeys(tx: Tx, nowMs: () => number): RequestKeys {
  const { db } = tx;
  const find = db.prepare<[string, string, number], KeptAnswer>(
    "SELECT hash, status, body FROM request_keys WHERE scope = ? AND key = ? AND at > ?",
  );
  const put = db.prepare("INSERT OR REPLACE INTO request_keys VALUES (?, ?, ?, ?, ?, ?)");
  const prune = db.prepare("DELETE FROM request_keys WHERE at <= ?");
  return {
    find: (scope, key) => tx.read(() => find.get(scope, key, nowMs() - KEPT_FOR_MS) ?? null),
    put: (scope, key, { hash, status, body }) =>
      tx.write(() => {
        const atMs = nowMs();
        prune.run(atMs - KEPT_FOR_MS);
        put.run(scope, key, hash, status, body, atMs);
      }),
    together: tx.write,
  };
}
