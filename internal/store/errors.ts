import { AppError, toError } from "../base/index.ts";

/** What SQLite says when there is no room; growing the shared index of the log reports it as an I/O error. */
const FULL = new Set(["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"]);

/** SQLite's own code (`SQLITE_FULL`) of a caught error, if it is one of SQLite's. */
export function sqliteCodeOf(caught: unknown): string | undefined {
  const code: unknown = caught instanceof Error ? (caught as { readonly code?: unknown }).code : undefined;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}

/** Anything thrown inside the store as a coded error that names the file and the next step. */
export function toStoreError(caught: unknown, path: string): AppError {
  if (caught instanceof AppError) return caught;
  const code = sqliteCodeOf(caught);
  if (code !== undefined && FULL.has(code)) {
    return new AppError({
      code: "store.full",
      message: `no room left to write ${path}`,
      hint: "free space on that file system; nothing was lost, the operation can be tried again",
      retry: "retryable",
      details: { path, sqlite: code },
      cause: caught,
    });
  }
  if (code !== undefined && (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB")) {
    return corruptError(path, code === "SQLITE_NOTADB" ? "it is not a database" : toError(caught).message, caught);
  }
  return new AppError({
    code: "store.failed",
    message: `cannot use ${path}: ${toError(caught).message}`,
    hint: "check that the file and its folder belong to you and that the disk is healthy",
    details: { path, sqlite: code ?? null },
    cause: caught,
  });
}

/** The store's content cannot be trusted; nothing is deleted or overwritten. */
export function corruptError(path: string, why: string, cause?: unknown): AppError {
  return new AppError({
    code: "store.corrupt",
    message: `the store ${path} is damaged: ${why}`,
    hint: `it was left as it is: move it and its -wal file aside and restore a backup (${path}.before-v*), or start with an empty store`,
    details: { path },
    cause,
  });
}

/** Runs `fn`; whatever it throws leaves as a store error. */
export function guarded<T>(path: string, fn: () => T): T {
  try {
    return fn();
  } catch (caught) {
    throw toStoreError(caught, path);
  }
}

/** Is it the unique or primary key that refused this row? */
export function isDuplicate(caught: unknown): boolean {
  const code = sqliteCodeOf(caught);
  return code === "SQLITE_CONSTRAINT_UNIQUE" || code === "SQLITE_CONSTRAINT_PRIMARYKEY";
}

/** Is it a foreign key that refused this change? */
export function isForeignKey(caught: unknown): boolean {
  return sqliteCodeOf(caught) === "SQLITE_CONSTRAINT_FOREIGNKEY";
}
