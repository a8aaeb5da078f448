import type Database from "better-sqlite3";
import { guarded, toStoreError } from "./errors.ts";

/** The one connection of the store, with transactions that nest by joining the outermost one. */
export interface Tx {
  readonly db: Database.Database;
  readonly path: string;
  /**
   * Runs `fn` in a transaction that is durable when the outermost call returns. Called inside another one, it joins
   * it. Any error ends the whole: everything since the outermost `write` is undone, so none may be swallowed inside.
   */
  write<T>(fn: () => T): T;
  /** Runs `fn` with the store's errors; no transaction. */
  read<T>(fn: () => T): T;
  /** Calls `fn` after the running transaction has been committed, never when it is undone; at once outside of one. */
  afterCommit(fn: () => void): void;
}

/** Wraps `db`, the file at `path`. `onError` hears of callbacks that threw after a commit. */
export function createTx(db: Database.Database, path: string, onError: (error: unknown) => void): Tx {
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const rollback = db.prepare("ROLLBACK");
  let pending: (() => void)[] = [];

  const runPending = () => {
    const due = pending;
    pending = [];
    for (const fn of due) {
      try {
        fn();
      } catch (caught) {
        onError(caught);
      }
    }
  };

  const tx: Tx = {
    db,
    path,
    write: (fn) => {
      if (db.inTransaction) return fn();
      let value: ReturnType<typeof fn>;
      try {
        begin.run();
        value = fn();
        commit.run();
      } catch (caught) {
        pending = [];
        // A full disk may have rolled back by itself.
        if (db.open && db.inTransaction) rollback.run();
        throw toStoreError(caught, path);
      }
      runPending();
      return value;
    },
    read: (fn) => guarded(path, fn),
    afterCommit: (fn) => {
      pending.push(fn);
      if (!db.inTransaction) runPending();
    },
  };
  return tx;
}
