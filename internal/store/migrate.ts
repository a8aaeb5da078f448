import type Database from "better-sqlite3";
import { AppError } from "../base/index.ts";
import { corruptError } from "./errors.ts";
import { freeName, preparePrivateFile } from "./files.ts";
import type { Migration } from "./migrations.ts";

/** Marks a SQLite file as ours ("LKPR"). */
const APPLICATION_ID = 0x4c4b5052;

/**
 * Refuses, without writing a byte, what is not ours or not ours yet.
 * @throws store.newer_schema, store.corrupt (a database of another program)
 */
export function checkSchema(
  db: Database.Database,
  opts: { readonly path: string; readonly migrations: readonly Migration[] },
): void {
  const version = versionOf(db);
  refuseForeign(db, opts.path, version);
  if (version > opts.migrations.length) throw newerSchema(opts.path, version, opts.migrations.length);
}

/**
 * Brings the schema up to date, one transaction per step, after writing a backup of an older one beside it.
 * @returns where the backup is, or null when none was due
 */
export function migrate(
  db: Database.Database,
  opts: { readonly path: string; readonly migrations: readonly Migration[]; readonly nowMs: number },
): { readonly backup: string | null } {
  const from = versionOf(db);
  const wanted = opts.migrations.length;
  if (from === wanted) return { backup: null };

  const backup = from === 0 ? null : writeBackup(db, opts, wanted);
  for (let version = from + 1; version <= wanted; version++) {
    db.transaction(() => {
      db.exec(opts.migrations[version - 1] ?? "");
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.pragma(`user_version = ${version}`);
    }).immediate();
  }
  return { backup };
}

function versionOf(db: Database.Database): number {
  return Number(db.pragma("user_version", { simple: true }));
}

/** A whole copy, taken by SQLite itself: it includes what is still in the -wal file. An earlier backup is kept. */
function writeBackup(
  db: Database.Database,
  opts: { readonly path: string; readonly nowMs: number },
  wanted: number,
): string {
  const backup = freeName(`${opts.path}.before-v${wanted}`, opts.nowMs);
  preparePrivateFile(backup);
  db.prepare("VACUUM INTO ?").run(backup);
  return backup;
}

function refuseForeign(db: Database.Database, path: string, version: number): void {
  if (Number(db.pragma("application_id", { simple: true })) === APPLICATION_ID) return;
  const tables = db.prepare<[], { readonly n: number }>("SELECT count(*) AS n FROM sqlite_schema").get()?.n ?? 0;
  if (tables > 0 || version > 0) throw corruptError(path, "it is a database of another program");
}

function newerSchema(path: string, found: number, known: number): AppError {
  return new AppError({
    code: "store.newer_schema",
    message: `the store ${path} has schema ${found}, this build knows up to ${known}`,
    hint: `use the newer Lanekeeper again, or restore the backup ${path}.before-v${known + 1}`,
    details: { path, found, known },
  });
}
