import type { Tx } from "./tx.ts";

/** What is known of the accounts that agents work under. The values are their owner's: text in JSON. */
export interface Accounts {
  put(key: string, state: string, atMs: number): void;
  remove(key: string): void;
  list(): readonly { readonly key: string; readonly state: string }[];
}

/** The accounts in `tx`. */
export function createAccounts(tx: Tx): Accounts {
  const { db } = tx;
  const put = db.prepare(
    "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET state = excluded.state, at = excluded.at",
  );
  const remove = db.prepare("DELETE FROM accounts WHERE key = ?");
  const list = db.prepare<[], { readonly key: string; readonly state: string }>("SELECT key, state FROM accounts");
  return {
    put: (key, state, atMs) =>
      tx.write(() => {
        put.run(key, state, atMs);
      }),
    remove: (key) =>
      tx.write(() => {
        remove.run(key);
      }),
    list: () => tx.read(() => list.all()),
  };
}
