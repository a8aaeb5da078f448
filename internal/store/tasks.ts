import * as z from "zod";
import type { InboxTask } from "../job/index.ts";
import { parseStored } from "./parse-stored.ts";
import type { Tx } from "./tx.ts";

/** Tasks on record. Synchronous, durable on return. */
export interface Tasks {
  insert(task: InboxTask): void;
  /** Writes its state and its job. */
  save(task: InboxTask): void;
  find(id: string): InboxTask | null;
  /** Of a lane, of all for null; newest first. */
  list(laneId: string | null, limit: number): readonly InboxTask[];
  /** How many a job has proposed. */
  countOfParent(job: string): number;
  /** Accepted ones without a job yet, oldest first. */
  listDue(): readonly InboxTask[];
  findByJob(job: string): InboxTask | null;
}

interface TaskRow {
  readonly id: string;
  readonly lane: string;
  readonly parent: string;
  readonly job: string | null;
  readonly title: string;
  readonly body: string;
  readonly state: string;
  readonly created_at: number;
}

const COLUMNS = "id, lane, parent, job, title, body, state, created_at";
const stateSchema = z.enum(["proposed", "accepted", "rejected", "done"]);

/** The tasks in `tx`. */
export function createTasks(tx: Tx): Tasks {
  const { db, path } = tx;
  const insert = db.prepare(`INSERT INTO tasks (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  const save = db.prepare("UPDATE tasks SET state = ?, job = ? WHERE id = ?");
  const select = <P extends unknown[]>(rest: string) => db.prepare<P, TaskRow>(`SELECT ${COLUMNS} FROM tasks ${rest}`);
  const byId = select<[string]>("WHERE id = ?");
  const byJob = select<[string]>("WHERE job = ?");
  const ofLane = select<[string, number]>("WHERE lane = ? ORDER BY n DESC LIMIT ?");
  const all = select<[number]>("ORDER BY n DESC LIMIT ?");
  const due = select<[]>("WHERE state = 'accepted' AND job IS NULL ORDER BY n");
  const ofParent = db.prepare<[string], { readonly n: number }>("SELECT count(*) AS n FROM tasks WHERE parent = ?");
  const toTask = (row: TaskRow): InboxTask => ({
    id: row.id,
    laneId: row.lane,
    parent: row.parent,
    job: row.job,
    title: row.title,
    body: row.body,
    state: parseStored(stateSchema, JSON.stringify(row.state), { path, what: `task ${row.id}` }),
    createdAtMs: row.created_at,
  });
  const one = (row: TaskRow | undefined): InboxTask | null => (row ? toTask(row) : null);
  return {
    insert: (task) =>
      tx.write(() => {
        const { id, laneId, parent, job, title, body, state, createdAtMs } = task;
        insert.run(id, laneId, parent, job, title, body, state, createdAtMs);
      }),
    save: ({ id, state, job }) =>
      tx.write(() => {
        save.run(state, job, id);
      }),
    find: (id) => tx.read(() => one(byId.get(id))),
    findByJob: (job) => tx.read(() => one(byJob.get(job))),
    list: (laneId, limit) => tx.read(() => (laneId === null ? all.all(limit) : ofLane.all(laneId, limit)).map(toTask)),
    countOfParent: (job) => tx.read(() => ofParent.get(job)?.n ?? 0),
    listDue: () => tx.read(() => due.all().map(toTask)),
  };
}
