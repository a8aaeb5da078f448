import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import * as z from "zod";
import { AppError } from "../base/index.ts";
import { sqliteCodeOf, toStoreError } from "./errors.ts";
import { preparePrivateFile } from "./files.ts";

/** Who holds the lock, for messages only: nothing is decided from it. */
export interface LockHolder {
  readonly pid: number;
  readonly build: string;
  readonly socket: string;
}

/** The lock, held until disposed or until the process ends, however it ends. */
export interface DaemonLock extends Disposable {
  /** Tells others more about the holder, as soon as it is known. */
  describe(holder: LockHolder): void;
}

const holderSchema = z.object({ pid: z.number().int().positive(), build: z.string(), socket: z.string() });

/** Two that start at once step on each other's toes for a moment; then one has it. */
const CONTENTION_MS = 300;

/**
 * Makes this process the only daemon of the installation. The kernel's lock on `path` decides (SQLite's exclusive
 * one), so it is free at once when the holder dies; `<path>.holder` says who it is. Never open `path` in any other
 * way: closing a descriptor of it drops the lock.
 * @throws daemon.already_running with the holder's facts in `details`; store.failed
 */
export function acquireDaemonLock(path: string, holder: LockHolder): DaemonLock {
  const db = openLocked(path);
  const sidecar = `${path}.holder`;
  const describe = (facts: LockHolder) => {
    writeFileSync(`${sidecar}.new`, JSON.stringify(facts), { mode: 0o600 });
    renameSync(`${sidecar}.new`, sidecar);
  };
  try {
    describe(holder);
  } catch (caught) {
    db.close();
    throw toStoreError(caught, sidecar);
  }
  const release = () => {
    process.off("exit", release);
    if (!db.open) return;
    rmSync(sidecar, { force: true });
    db.close();
  };
  // Also what keeps the connection from being collected, and with it the lock, when the caller forgets the result.
  process.on("exit", release);
  return { describe, [Symbol.dispose]: release };
}

function openLocked(path: string): Database.Database {
  let db: Database.Database | undefined;
  try {
    preparePrivateFile(path);
    db = new Database(path, { timeout: CONTENTION_MS });
    // No journal file: nothing is ever written, and a full disk must not keep the daemon from starting.
    db.pragma("journal_mode = MEMORY");
    // Never ended. (`locking_mode = EXCLUSIVE` would make two that start at once keep each other out.)
    db.exec("BEGIN EXCLUSIVE");
    return db;
  } catch (caught) {
    db?.close();
    if (sqliteCodeOf(caught)?.startsWith("SQLITE_BUSY")) throw alreadyRunning(path);
    throw toStoreError(caught, path);
  }
}

function alreadyRunning(path: string): AppError {
  const holder = readHolder(`${path}.holder`);
  return new AppError({
    code: "daemon.already_running",
    message: holder
      ? `laned is running already: pid ${holder.pid}, build ${holder.build.slice(0, 12)}, on ${holder.socket}`
      : "laned is running already for this installation",
    hint: holder ? `use it, or end it first: kill ${holder.pid}` : "use it, or end it first",
    details: { path, holder },
  });
}

/** The holder's own words; null when there are none to be read, or when they are of a process that is gone. */
function readHolder(sidecar: string): LockHolder | null {
  try {
    const holder = holderSchema.parse(JSON.parse(readFileSync(sidecar, "utf8")));
    process.kill(holder.pid, 0);
    return holder;
  } catch {
    return null;
  }
}
