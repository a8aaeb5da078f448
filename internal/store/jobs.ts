import { AppError } from "../base/index.ts";
import type { Job } from "../job/index.ts";
import { type Attempts, createAttempts } from "./attempts.ts";
import { createJobGit, type JobGitRecords } from "./job-git.ts";
import { createJobLog, type JobLog } from "./job-log.ts";
import { type JobRow, parseJob } from "./parse-job.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import type { Tx } from "./tx.ts";

/** Jobs on record, with their attempts and logs. Synchronous, durable on return. */
export interface Jobs extends Attempts, JobGitRecords, JobLog, Sessions {
  /** Records a new job and its idempotency key. @throws lane.not_found, request.key_conflict */
  insert(job: Job): void;
  /** Writes a job's state and times. @throws job.not_found */
  save(job: Job): void;
  find(id: string): Job | null;
  findByKey(lane: string, key: string): Job | null;
  /** Jobs whose id starts with `prefix`, at most `limit`. */
  findByPrefix(prefix: string, limit: number): readonly Job[];
  /** Newest first; those submitted before job `before`, when given. */
  list(opts: {
    readonly laneId?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): readonly Job[];
  /** The next one of a lane: highest priority, then first in. */
  nextQueued(lane: string): Job | null;
  /** In the order in which they will run. */
  listQueued(lane: string): readonly Job[];
  countQueued(lane: string): number;
  /** Those that occupy a lane; of all lanes for null. */
  listActive(lane: string | null): readonly Job[];
  hasActive(lane: string): boolean;
  /** Those that wait for an answer; of all lanes for null. */
  listAwaiting(lane: string | null): readonly Job[];
  /** Is the lane these jobs belong to still on record? */
  hasLane(lane: string): boolean;
  /** How many jobs are in each phase. */
  countByPhase(): Readonly<Record<string, number>>;
}

const COLUMNS = "n, id, lane, spec, body_hash, state, created_at, started_at, ended_at";
const ACTIVE = "phase IN ('dispatching', 'accepted', 'running')";

/** The jobs in `tx`. */
export function createJobs(tx: Tx): Jobs {
  const { db, path } = tx;
  const laneExists = db.prepare<[string], unknown>("SELECT 1 FROM lanes WHERE id = ?");
  const insertNumber = db.prepare("INSERT OR IGNORE INTO lane_numbers (lane) VALUES (?)");
  const insert = db.prepare(
    `INSERT INTO jobs (id, lane, lane_n, spec, body_hash, priority, phase, state, created_at, started_at, ended_at)
     VALUES (?, ?, (SELECT n FROM lane_numbers WHERE lane = ?), ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertKey = db.prepare("INSERT OR IGNORE INTO idempotency_keys VALUES (?, ?, ?)");
  const save = db.prepare("UPDATE jobs SET phase = ?, state = ?, started_at = ?, ended_at = ? WHERE id = ?");
  const byId = db.prepare<[string], JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE id = ?`);
  const byKey = db.prepare<[string, string], JobRow>(
    `SELECT ${COLUMNS} FROM jobs WHERE n = (SELECT job FROM idempotency_keys WHERE lane = ? AND key = ?)`,
  );
  // "{" follows "z": everything that continues the prefix lies between.
  const byPrefix = db.prepare<[string, string, number], JobRow>(
    `SELECT ${COLUMNS} FROM jobs WHERE id >= ? AND id < ? || '{' ORDER BY id LIMIT ?`,
  );
  const before = "n < ifnull((SELECT n FROM jobs WHERE id = ?), 9e18)";
  const list = db.prepare<[string, number], JobRow>(
    `SELECT ${COLUMNS} FROM jobs WHERE ${before} ORDER BY n DESC LIMIT ?`,
  );
  const listOfLane = db.prepare<[string, string, number], JobRow>(
    `SELECT ${COLUMNS} FROM jobs WHERE lane = ? AND ${before} ORDER BY n DESC LIMIT ?`,
  );
  const queued = db.prepare<[string, number], JobRow>(
    `SELECT ${COLUMNS} FROM jobs WHERE lane = ? AND phase = 'queued' ORDER BY priority DESC, n LIMIT ?`,
  );
  const countQueued = db.prepare<[string], { readonly n: number }>(
    "SELECT count(*) AS n FROM jobs WHERE lane = ? AND phase = 'queued'",
  );
  const active = db.prepare<[], JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE ${ACTIVE} ORDER BY n`);
  const activeOfLane = db.prepare<[string], JobRow>(
    `SELECT ${COLUMNS} FROM jobs WHERE lane = ? AND ${ACTIVE} ORDER BY n`,
  );
  const hasActive = db.prepare<[string], unknown>(`SELECT 1 FROM jobs WHERE lane = ? AND ${ACTIVE} LIMIT 1`);
  const awaiting = db.prepare<[string | null], JobRow>(
    `SELECT ${COLUMNS} FROM jobs WHERE phase = 'awaiting_answer' AND lane = ifnull(?, lane) ORDER BY n`,
  );
  const phases = db.prepare<[], { readonly phase: string; readonly n: number }>(
    "SELECT phase, count(*) AS n FROM jobs GROUP BY phase",
  );

  const toJob = (row: JobRow): Job => parseJob(row, path);
  const one = (row: JobRow | undefined): Job | null => (row ? toJob(row) : null);

  return {
    ...createAttempts(tx),
    ...createJobLog(tx),
    ...createSessions(tx),
    ...createJobGit(tx),
    insert: (job) =>
      tx.write(() => {
        const { id, laneId, spec, bodyHash, state } = job;
        if (!laneExists.get(laneId)) {
          throw new AppError({ code: "lane.not_found", message: `there is no lane ${laneId}`, hint: "see lane ls" });
        }
        insertNumber.run(laneId);
        const times = [job.createdAtMs, job.startedAtMs, job.endedAtMs];
        const texts = [JSON.stringify(spec), bodyHash, spec.priority, state.phase, JSON.stringify(state)];
        const { lastInsertRowid } = insert.run(id, laneId, laneId, ...texts, ...times);
        if (spec.key !== null && insertKey.run(laneId, spec.key, lastInsertRowid).changes === 0) {
          throw keyTaken(laneId, spec.key);
        }
      }),
    save: (job) =>
      tx.write(() => {
        const { phase } = job.state;
        const { changes } = save.run(phase, JSON.stringify(job.state), job.startedAtMs, job.endedAtMs, job.id);
        if (changes === 0) throw new AppError({ code: "job.not_found", message: `there is no job ${job.id}` });
      }),
    find: (id) => tx.read(() => one(byId.get(id))),
    findByKey: (lane, key) => tx.read(() => one(byKey.get(lane, key))),
    findByPrefix: (prefix, limit) => tx.read(() => byPrefix.all(prefix, prefix, limit).map(toJob)),
    list: (opts) =>
      tx.read(() => {
        const from = opts.before ?? "";
        const rows =
          opts.laneId === undefined ? list.all(from, opts.limit) : listOfLane.all(opts.laneId, from, opts.limit);
        return rows.map(toJob);
      }),
    nextQueued: (lane) => tx.read(() => one(queued.get(lane, 1))),
    listQueued: (lane) => tx.read(() => queued.all(lane, -1).map(toJob)),
    countQueued: (lane) => tx.read(() => countQueued.get(lane)?.n ?? 0),
    listActive: (lane) => tx.read(() => (lane === null ? active.all() : activeOfLane.all(lane)).map(toJob)),
    hasActive: (lane) => tx.read(() => hasActive.get(lane) !== undefined),
    listAwaiting: (lane) => tx.read(() => awaiting.all(lane).map(toJob)),
    hasLane: (lane) => tx.read(() => laneExists.get(lane) !== undefined),
    countByPhase: () => tx.read(() => Object.fromEntries(phases.all().map((row) => [row.phase, row.n]))),
  };
}

function keyTaken(lane: string, key: string): AppError {
  return new AppError({
    code: "request.key_conflict",
    message: `lane ${lane}: the idempotency key ${JSON.stringify(key)} is taken`,
    hint: "use another key for other work",
  });
}
