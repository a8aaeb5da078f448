import { type InboxItem, type InboxKind, isWaiting } from "../job/index.ts";
import { createItemRetention, type DroppedItems } from "./item-retention.ts";
import { type ItemRow, parseItem } from "./parse-item.ts";
import type { Tx } from "./tx.ts";

/** Which items a list shows: `done` are all that wait no more. */
export type ItemBucket = "open" | "snoozed" | "done";

/** Items of the inbox on record. Synchronous, durable on return. */
export interface InboxItems {
  insert(item: InboxItem): void;
  /** Writes what can change about an item: its state, its texts and its delivery. */
  save(item: InboxItem): void;
  find(id: string): InboxItem | null;
  /** Items whose id starts with `prefix`, at most `limit`. */
  findByPrefix(prefix: string, limit: number): readonly InboxItem[];
  /** Newest first; those made before item `before`, when given. */
  list(opts: {
    readonly bucket?: ItemBucket | undefined;
    readonly kind?: InboxKind | undefined;
    readonly laneId?: string | undefined;
    /** Only those with this in their title or body; upper and lower case of ASCII letters are alike. */
    readonly text?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): readonly InboxItem[];
  countOpen(): number;
  /** When the open one that has waited longest was made; null when none waits. */
  oldestOpenAtMs(): number | null;
  /** How many of what a lane's agents have made (questions, proposals) wait. */
  countWaitingOfLane(laneId: string): number;
  countQuestions(job: string): number;
  /** The newest of a subject. */
  findBySubject(subject: string): InboxItem | null;
  /** Those that wait and whose subject begins so; all that have a subject for an empty text. */
  listWaitingSubjects(prefix: string): readonly InboxItem[];
  /** Those of a lane that wait. */
  listWaitingOfLane(laneId: string): readonly InboxItem[];
  /** Questions of a job, oldest first. */
  listQuestions(job: string): readonly InboxItem[];
  /** Those whose time has come, at most `limit`. */
  listDue(nowMs: number, limit: number): readonly InboxItem[];
  /** When the next one's time comes; null for never. */
  nextDueMs(): number | null;
  /**
   * Drops what was closed before `beforeMs` and nothing goes by any more, out of the next `limit` closed items after
   * `after` (0 to begin with).
   */
  dropClosed(opts: { readonly beforeMs: number; readonly after: number; readonly limit: number }): DroppedItems;
}

const COLUMNS = "id, kind, lane, job, attempt, subject, state, facts, delivered, created_at, changed_at, expires_at";

const TEXTS = "(facts ->> 'title') || char(10) || (facts ->> 'body')";

/** Made before an item, given by its id. One that was dropped meanwhile is looked for by the time that ids begin with. */
const BEFORE = `n < (SELECT ifnull((SELECT n FROM inbox_items WHERE id = b.id),
  (SELECT n + 1 FROM inbox_items WHERE id < b.id ORDER BY id DESC LIMIT 1)) FROM (SELECT ? AS id) b)`;

/** The items in `tx`. */
export function createInboxItems(tx: Tx): InboxItems {
  const { db, path } = tx;
  const insert = db.prepare(
    `INSERT INTO inbox_items (${COLUMNS}, bucket, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const save = db.prepare(
    `UPDATE inbox_items SET state = ?, facts = ?, delivered = ?, job = ?, changed_at = ?, bucket = ?, due_at = ?
     WHERE id = ?`,
  );
  const select = <P extends unknown[]>(rest: string) =>
    db.prepare<P, ItemRow>(`SELECT ${COLUMNS} FROM inbox_items ${rest}`);
  const byId = select<[string]>("WHERE id = ?");
  // "{" follows "z": everything that continues the prefix lies between.
  const byPrefix = select<[string, string, number]>("WHERE id >= ? AND id < ? || '{' ORDER BY id LIMIT ?");
  const bySubject = select<[string]>("WHERE subject = ? ORDER BY n DESC LIMIT 1");
  const waitingSubjects = select<[string, string]>(
    "WHERE subject >= ? AND subject < ? || '{' AND bucket <> 'done' ORDER BY n",
  );
  const waitingOfLane = select<[string]>("WHERE lane = ? AND bucket IN ('open', 'snoozed') ORDER BY n");
  const questions = select<[string]>("WHERE job = ? AND kind = 'question' ORDER BY n");
  const due = select<[number, number]>("WHERE due_at <= ? ORDER BY due_at LIMIT ?");
  const count = <P extends unknown[]>(where: string) =>
    db.prepare<P, { readonly n: number }>(`SELECT count(*) AS n FROM inbox_items WHERE ${where}`);
  const open = count<[]>("bucket = 'open'");
  const ofLane = count<[string]>(`lane = ? AND bucket IN ('open', 'snoozed') AND kind IN ('question', 'approval')`);
  const ofJob = count<[string]>("job = ? AND kind = 'question'");
  const oldestOpen = db.prepare<[], { readonly at: number }>(
    "SELECT created_at AS at FROM inbox_items WHERE bucket = 'open' ORDER BY n LIMIT 1",
  );
  const nextDue = db.prepare<[], { readonly at: number | null }>(
    "SELECT min(due_at) AS at FROM inbox_items WHERE due_at IS NOT NULL",
  );

  const toItem = (row: ItemRow): InboxItem => parseItem(row, path);
  const one = (row: ItemRow | undefined): InboxItem | null => (row ? toItem(row) : null);

  return {
    insert: (item) =>
      tx.write(() => {
        const about = [item.id, item.kind, item.laneId, item.jobId, item.attempt, item.subject];
        const times = [item.createdAtMs, item.changedAtMs, item.expiresAtMs];
        const state = JSON.stringify(item.state);
        insert.run(...about, state, factsOf(item), Number(item.delivered), ...times, bucketOf(item), dueOf(item));
      }),
    save: (item) =>
      tx.write(() => {
        const texts = [JSON.stringify(item.state), factsOf(item), Number(item.delivered)];
        save.run(...texts, item.jobId, item.changedAtMs, bucketOf(item), dueOf(item), item.id);
      }),
    find: (id) => tx.read(() => one(byId.get(id))),
    findByPrefix: (prefix, limit) => tx.read(() => byPrefix.all(prefix, prefix, limit).map(toItem)),
    list: ({ bucket, kind, laneId, text, before, limit }) =>
      tx.read(() => {
        const filters: [string, string | undefined][] = [
          ["bucket = ?", bucket],
          ["kind = ?", kind],
          ["lane = ?", laneId],
          [`instr(lower(${TEXTS}), lower(?)) > 0`, text],
          [BEFORE, before],
        ];
        const given = filters.filter((filter): filter is [string, string] => filter[1] !== undefined);
        const where = given.length === 0 ? "" : `WHERE ${given.map(([sql]) => sql).join(" AND ")}`;
        return select<unknown[]>(`${where} ORDER BY n DESC LIMIT ?`)
          .all(...given.map(([, value]) => value), limit)
          .map(toItem);
      }),
    oldestOpenAtMs: () => tx.read(() => oldestOpen.get()?.at ?? null),
    countOpen: () => tx.read(() => open.get()?.n ?? 0),
    countWaitingOfLane: (laneId) => tx.read(() => ofLane.get(laneId)?.n ?? 0),
    countQuestions: (job) => tx.read(() => ofJob.get(job)?.n ?? 0),
    findBySubject: (subject) => tx.read(() => one(bySubject.get(subject))),
    listWaitingSubjects: (prefix) => tx.read(() => waitingSubjects.all(prefix, prefix).map(toItem)),
    listWaitingOfLane: (laneId) => tx.read(() => waitingOfLane.all(laneId).map(toItem)),
    listQuestions: (job) => tx.read(() => questions.all(job).map(toItem)),
    listDue: (nowMs, limit) => tx.read(() => due.all(nowMs, limit).map(toItem)),
    nextDueMs: () => tx.read(() => nextDue.get()?.at ?? null),
    ...createItemRetention(tx),
  };
}

function factsOf({ title, body, choices, fallback, urgency, occurrence, data, isRead }: InboxItem): string {
  return JSON.stringify({ title, body, choices, fallback, urgency, occurrence, data, isRead });
}

function bucketOf({ state }: InboxItem): ItemBucket {
  return state.phase === "open" || state.phase === "snoozed" ? state.phase : "done";
}

function dueOf({ state, expiresAtMs }: InboxItem): number | null {
  if (!isWaiting(state)) return null;
  if (state.phase !== "snoozed") return expiresAtMs;
  return expiresAtMs === null ? state.untilMs : Math.min(state.untilMs, expiresAtMs);
}
