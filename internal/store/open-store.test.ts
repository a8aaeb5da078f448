import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { MIGRATIONS } from "./migrations.ts";
import { openStore } from "./open-store.ts";
import { filledStore, job, openIn, snapshotOf, type TempFolder, tempFolder, walOf, workspace } from "./testing.ts";

let folder: TempFolder;
beforeEach(() => {
  folder = tempFolder();
});
afterEach(() => folder[Symbol.dispose]());

const open = (path: string, more = {}) => openStore({ path, nowMs: () => 5, ...more });
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const codeOf = (fn: () => unknown): AppError => {
  try {
    fn();
  } catch (caught) {
    if (caught instanceof AppError) return caught;
    throw caught;
  }
  throw new Error("nothing was thrown");
};

describe("a new store", () => {
  it("is private, durable and strict", () => {
    using store = filledStore(folder.path);
    expect(mode(dirname(store.path))).toBe("700");
    expect(["", "-wal", "-shm"].map((suffix) => mode(store.path + suffix))).toEqual(["600", "600", "600"]);
    chmodSync(store.path, 0o644);
    store.close();
    using again = openIn(folder.path);
    expect(mode(again.path)).toBe("600");
    expect(again.workspaces.list()).toEqual([workspace]);
    expect(again.backup).toBeNull();
  });

  it("uses WAL, full synchronisation and foreign keys", () => {
    using store = filledStore(folder.path);
    expect(codeOf(() => store.jobs.putAttempt("nosuch", 1, 1, 1)).code).toBe("store.failed");
    store.close();
    const raw = new Database(store.path, { readonly: true });
    expect(raw.pragma("journal_mode", { simple: true })).toBe("wal");
    raw.close();
  });
});

describe("migration", () => {
  const older = MIGRATIONS;
  const newer = [...MIGRATIONS, "CREATE TABLE added (x); INSERT INTO meta VALUES ('touched', '2');"];
  const suffix = `.before-v${newer.length}`;

  it("steps up an older schema after a whole backup beside it", () => {
    filledStore(folder.path, { migrations: older }).close();
    using store = openIn(folder.path, { migrations: newer });
    expect(store.backup).toBe(`${store.path}${suffix}`);
    expect(mode(`${store.path}${suffix}`)).toBe("600");
    expect(store.workspaces.list()).toEqual([workspace]);
    using backup = open(`${store.path}${suffix}`, { migrations: older });
    expect(backup.workspaces.list()).toEqual([workspace]);
  });

  it("takes what a killed daemon left in the -wal file into the backup", () => {
    using store = filledStore(folder.path, { migrations: older });
    const path = snapshotOf(store, folder.path);
    using next = open(path, { migrations: newer });
    using backup = open(next.backup ?? "", { migrations: older });
    expect(backup.workspaces.list()).toEqual([workspace]);
  });

  it("may rebuild a table that others point to", () => {
    filledStore(folder.path).close();
    const rebuild = `CREATE TABLE w2 AS SELECT * FROM workspaces; DROP TABLE workspaces;
      CREATE TABLE workspaces (id TEXT PRIMARY KEY, name TEXT, path TEXT, created_at INTEGER, more TEXT);
      INSERT INTO workspaces SELECT *, 'm' FROM w2; DROP TABLE w2;`;
    using store = openIn(folder.path, { migrations: [...MIGRATIONS, rebuild] });
    expect(store.lanes.findLane("demo")?.workspaceId).toBe("ws");
    expect(() => store.workspaces.delete("ws")).toThrow(expect.objectContaining({ code: "workspace.in_use" }));
  });

  it("leaves the older schema whole when a step fails, and keeps every backup", () => {
    filledStore(folder.path).close();
    const broken = [...MIGRATIONS, "CREATE TABLE added (x); SELECT nonsense;"];
    expect(codeOf(() => openIn(folder.path, { migrations: broken })).code).toBe("store.failed");
    using same = openIn(folder.path, { migrations: older });
    expect(same.workspaces.list()).toEqual([workspace]);
    same.close();
    using store = openIn(folder.path, { migrations: newer });
    expect(store.backup).toBe(`${store.path}${suffix}-1000`);
    expect(existsSync(`${store.path}${suffix}`)).toBe(true);
  });

  it("refuses a newer schema without touching the file", () => {
    const { path } = filledStore(folder.path, { migrations: newer });
    using store = openIn(folder.path, { migrations: newer });
    store.close();
    const before = readFileSync(path);
    const error = codeOf(() => openIn(folder.path, { migrations: older }));
    expect([error.code, error.message.includes(path), error.hint?.includes(suffix)]).toEqual([
      "store.newer_schema",
      true,
      true,
    ]);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

describe("a damaged store", () => {
  it("is refused when it is not a database, and left as it is", () => {
    const path = join(folder.path, "store.db");
    const junk = Buffer.alloc(8192, 7);
    writeFileSync(path, junk);
    const error = codeOf(() => open(path));
    expect(error.code).toBe("store.corrupt");
    expect(error.message).toContain(path);
    expect(error.hint).toContain("move it");
    expect(readFileSync(path).equals(junk)).toBe(true);
  });

  it("is refused when it is another program's database, and left as it is", () => {
    const path = join(folder.path, "store.db");
    const other = new Database(path);
    other.exec("CREATE TABLE theirs (x)");
    other.close();
    const before = readFileSync(path);
    expect(codeOf(() => open(path)).code).toBe("store.corrupt");
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("is refused when its middle is overwritten or its end is missing", () => {
    using store = filledStore(folder.path);
    for (let i = 0; i < 300; i++) store.jobs.insert(job(`j${i}`));
    store.close();
    const middle = join(folder.path, "middle.db");
    const bytes = readFileSync(store.path);
    bytes.fill(0xee, Math.floor(bytes.length / 2), Math.floor(bytes.length / 2) + 9000);
    writeFileSync(middle, bytes);
    expect(codeOf(() => open(middle)).code).toBe("store.corrupt");
    const short = join(folder.path, "short.db");
    copyFileSync(store.path, short);
    truncateSync(short, bytes.length - 20_000);
    expect(codeOf(() => open(short)).code).toBe("store.corrupt");
  });

  it("says which row cannot be read", () => {
    using store = filledStore(folder.path);
    store.jobs.insert(job("j1"));
    store.close();
    const raw = new Database(store.path);
    raw.exec(`UPDATE jobs SET state = '{"phase":"dreaming"}'`);
    raw.close();
    using again = openIn(folder.path);
    const error = codeOf(() => again.jobs.find("j1"));
    expect([error.code, error.message.includes("job j1, state")]).toEqual(["store.corrupt", true]);
  });

  it("says which event cannot be read", () => {
    using store = filledStore(folder.path);
    store.jobs.insert(job("j1"));
    store.jobs.putAttempt("j1", 1, 1, 5);
    store.jobs.appendWorkerEvents("j1", 1, [{ seq: 1, atMs: 1, type: "started", pid: 7 }]);
    store.feed.append({ atMs: 1, type: "job.queued", lane: null, job: "j1", data: {} });
    store.close();
    const raw = new Database(store.path);
    raw.exec(`UPDATE job_events SET body = '{"pid":'; UPDATE feed SET data = '{'; UPDATE attempts SET outcome = '}'`);
    raw.close();
    using again = openIn(folder.path);
    const range = { after: 0, limit: 9 };
    const errors = [
      codeOf(() => again.jobs.readEvents("j1", range)),
      codeOf(() => again.jobs.readAttemptEvents("j1", 1, range)),
      codeOf(() => again.jobs.findAttempt("j1", 1)),
      codeOf(() => again.feed.readAfter(0, 9)),
    ];
    expect(errors.map(({ code }) => code)).toEqual(Array(4).fill("store.corrupt"));
    const named = ["job j1, event 1 ", "job j1, worker event 1 ", "job j1, attempt 1, outcome ", "feed entry 1 "];
    named.forEach((what, i) => {
      expect(errors[i]?.message).toContain(what);
    });
  });

  it("loses nothing committed when the log is torn at any byte of its last record", () => {
    using store = filledStore(folder.path);
    store.jobs.insert(job("first"));
    const safe = statSync(walOf(store)).size;
    store.jobs.insert(job("last"));
    const end = statSync(walOf(store)).size;
    expect(end).toBeGreaterThan(safe);
    for (let size = safe; size <= end; size += size < end - 1499 ? 1499 : end - size || 1) {
      const path = snapshotOf(store, folder.path);
      truncateSync(`${path}-wal`, size);
      using torn = open(path);
      expect(torn.jobs.find("first")?.id).toBe("first");
      expect(torn.jobs.find("last") !== null).toBe(size === end);
      torn.close();
      rmSync(path);
    }
  }, 30_000);
});

describe("a full disk", () => {
  it("is store.full and retryable, undoes the whole transaction, and works again with room", () => {
    using store = filledStore(folder.path, { maxPages: 80 });
    let stored = 0;
    const error = codeOf(() => {
      for (;;) {
        store.transaction(() => {
          store.jobs.insert(job(`a${stored}`));
          store.jobs.insert(job(`b${stored}`));
        });
        stored++;
      }
    });
    expect([error.code, error.retry]).toEqual(["store.full", "retryable"]);
    expect(store.jobs.list({ limit: 1000 })).toHaveLength(stored * 2);
    store.close();
    using again = openIn(folder.path);
    again.jobs.insert(job("later"));
    expect(again.jobs.list({ limit: 1000 })).toHaveLength(stored * 2 + 1);
  });

  it.skipIf(process.getuid?.() !== 0)("is store.full on a real full file system too", () => {
    const mount = join(folder.path, "mnt");
    mkdirSync(mount);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mount]);
    try {
      using store = filledStore(mount);
      let stored = 0;
      const error = codeOf(() => {
        for (;;) {
          store.jobs.insert(job(`j${stored}`));
          stored++;
        }
      });
      expect(error.code).toBe("store.full");
      const found = store.jobs.list({ limit: 10_000 }).length;
      store.close();
      using again = openIn(mount);
      expect([found, again.jobs.list({ limit: 10_000 }).length]).toEqual([stored, stored]);
    } finally {
      execFileSync("umount", ["-l", mount]);
    }
  });

  it.skipIf(process.getuid?.() !== 0)("is store.full when a store cannot even be opened for it", () => {
    const mount = join(folder.path, "mnt");
    mkdirSync(mount);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", mount]);
    try {
      writeFileSync(join(mount, "filler"), Buffer.alloc(44 * 1024));
      expect(codeOf(() => openIn(mount)).code).toBe("store.full");
    } finally {
      execFileSync("umount", ["-l", mount]);
    }
  });
});

describe("transactions", () => {
  it("join the outer one: all or nothing, subscribers hear after the commit only", () => {
    using store = filledStore(folder.path);
    const heard: string[] = [];
    store.feed.subscribe((entry) => heard.push(entry.type));
    expect(() =>
      store.transaction(() => {
        store.jobs.insert(job("gone"));
        store.feed.append({ atMs: 1, type: "never", lane: null, job: null, data: {} });
        throw new Error("undo");
      }),
    ).toThrow("undo");
    expect(store.jobs.find("gone")).toBeNull();
    store.transaction(() => {
      store.feed.append({ atMs: 1, type: "first", lane: null, job: null, data: {} });
      store.feed.append({ atMs: 1, type: "second", lane: null, job: null, data: {} });
      expect(heard).toEqual([]);
    });
    expect(heard).toEqual(["first", "second"]);
  });
});
