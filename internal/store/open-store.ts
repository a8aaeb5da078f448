import Database from "better-sqlite3";
import { type Accounts, createAccounts } from "./accounts.ts";
import { corruptError, toStoreError } from "./errors.ts";
import { createFeed, type Feed } from "./feed.ts";
import { preparePrivateFile } from "./files.ts";
import { createInboxItems, type InboxItems } from "./inbox-items.ts";
import { createJobs, type Jobs } from "./jobs.ts";
import { createLaneCalls, type LaneCalls } from "./lane-calls.ts";
import { createLaneConfigRecords, type LaneConfigRecords } from "./lane-config.ts";
import { createLaneLooks, type LaneLooks } from "./lane-looks.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import { checkSchema, migrate } from "./migrate.ts";
import { MIGRATIONS, type Migration } from "./migrations.ts";
import { createRequestKeys, type RequestKeys } from "./request-keys.ts";
import { createTasks, type Tasks } from "./tasks.ts";
import { createTx } from "./tx.ts";
import { createWorkspaces, type Workspaces } from "./workspaces.ts";

/** Above this size only the tables that decisions depend on are checked at start: reading the rest takes seconds. */
const FULL_CHECK_MAX_BYTES = 256 * 1024 * 1024;
const CHECKED_FIRST = ["lanes", "generations", "jobs", "attempts", "idempotency_keys", "lane_spools"];

/** What {@link openStore} needs. */
export interface StoreOptions {
  /** The database; its -wal and -shm files stand beside it. */
  readonly path: string;
  /** Wall time, for records only. */
  readonly nowMs: () => number;
  /** Hears of subscribers that threw; a subscriber cannot break the store. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** The schema's steps; given by tests only. */
  readonly migrations?: readonly Migration[] | undefined;
  /** Largest size of the database, in pages of 4 KiB; then store.full. */
  readonly maxPages?: number | undefined;
}

/**
 * The installation's journal. Every call is synchronous, and what it wrote is on the disk when it returns. One process
 * writes: hold the daemon's lock first.
 */
export interface Store extends Disposable {
  readonly path: string;
  /** The backup written while opening, when the schema was older. */
  readonly backup: string | null;
  readonly lanes: Lanes;
  readonly workspaces: Workspaces;
  readonly jobs: Jobs;
  readonly feed: Feed;
  readonly accounts: Accounts;
  readonly laneConfig: LaneConfigRecords;
  readonly laneLooks: LaneLooks;
  readonly items: InboxItems;
  readonly tasks: Tasks;
  readonly laneCalls: LaneCalls;
  readonly requestKeys: RequestKeys;
  /** All of `fn`'s changes or none, in one commit; see the notes of `Tx.write`. */
  transaction<T>(fn: () => T): T;
  /** Calls `fn` after the commit under way, never when it is undone; at once outside of one. What it throws is logged. */
  afterCommit(fn: () => void): void;
  /** Idempotent. */
  close(): void;
}

/**
 * Opens the store, creating or migrating it.
 * @throws store.corrupt, store.newer_schema, store.full, store.failed
 */
export function openStore(opts: StoreOptions): Store {
  const { path } = opts;
  let db: Database.Database | undefined;
  try {
    preparePrivateFile(path);
    db = new Database(path, { timeout: 2000 });
    const { backup } = setUp(db, opts);
    return assemble(db, backup, opts);
  } catch (caught) {
    db?.close();
    throw toStoreError(caught, path);
  }
}

function setUp(db: Database.Database, opts: StoreOptions): { readonly backup: string | null } {
  const migrations = opts.migrations ?? MIGRATIONS;
  checkSchema(db, { path: opts.path, migrations });
  if (opts.maxPages !== undefined) db.pragma(`max_page_count = ${opts.maxPages}`);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma("journal_size_limit = 67108864");
  check(db, opts.path);
  // A step may have to rebuild a table that others point to.
  db.pragma("foreign_keys = OFF");
  const done = migrate(db, { path: opts.path, migrations, nowMs: opts.nowMs() });
  db.pragma("foreign_keys = ON");
  return done;
}

function check(db: Database.Database, path: string): void {
  const bytes = Number(db.pragma("page_count", { simple: true })) * Number(db.pragma("page_size", { simple: true }));
  const tables = new Set(
    db
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map((t) => t.name),
  );
  const parts =
    bytes <= FULL_CHECK_MAX_BYTES
      ? ["quick_check(1)"]
      : CHECKED_FIRST.filter((table) => tables.has(table)).map((table) => `quick_check(${table})`);
  for (const part of parts) {
    const verdict = String(db.pragma(part, { simple: true }));
    if (verdict !== "ok") throw corruptError(path, verdict.split("\n")[0] ?? "quick_check failed");
  }
}

function assemble(db: Database.Database, backup: string | null, opts: StoreOptions): Store {
  const onError = opts.onError ?? (() => {});
  const tx = createTx(db, opts.path, onError);
  const feed = createFeed(tx, onError);
  const close = () => {
    db.close();
  };
  return {
    path: opts.path,
    backup,
    lanes: createLanes(tx, feed, opts.nowMs),
    workspaces: createWorkspaces(tx, feed, opts.nowMs),
    jobs: createJobs(tx),
    feed,
    accounts: createAccounts(tx),
    laneConfig: createLaneConfigRecords(tx),
    laneLooks: createLaneLooks(tx),
    items: createInboxItems(tx),
    tasks: createTasks(tx),
    laneCalls: createLaneCalls(tx),
    requestKeys: createRequestKeys(tx, opts.nowMs),
    transaction: tx.write,
    afterCommit: tx.afterCommit,
    close,
    [Symbol.dispose]: close,
  };
}
