import { AppError } from "../base/index.ts";
import type { AttemptEnd } from "../job/index.ts";
import { parseJson } from "./parse-stored.ts";
import type { Tx } from "./tx.ts";

/** One try at a job, as it is on record. */
export interface StoredAttempt {
  readonly attempt: number;
  /** The last generation whose worker had it. */
  readonly generation: number;
  readonly dispatchedAtMs: number;
  /** The last of the worker's event numbers on record, 0 for none: what is acknowledged. */
  readonly lastSeq: number;
  /** The worker's `finished` event is on record: nothing may follow. */
  readonly finished: boolean;
  readonly endedAtMs: number | null;
  /** How it ended (the job's state of then), or null while it has not. */
  readonly outcome: AttemptEnd | null;
}

/** Attempts, and the spools that hold them. */
export interface Attempts {
  /** Records an attempt, or that another generation has it now. */
  putAttempt(job: string, attempt: number, generation: number, atMs: number): void;
  endAttempt(job: string, attempt: number, outcome: AttemptEnd, atMs: number): void;
  findAttempt(job: string, attempt: number): StoredAttempt | null;
  /** Ids of the questions with whose outcome the attempt begins; replaces what was there. */
  putAnswers(job: string, attempt: number, items: readonly string[]): void;
  /** None for an attempt that is not on record. */
  listAnswers(job: string, attempt: number): readonly string[];
  /** First to last. */
  listAttempts(job: string): readonly StoredAttempt[];
  /** What is on record of a lane's latest attempts, newest first: `lastSeq` of each. */
  listAcked(
    lane: string,
    limit: number,
  ): readonly { readonly job: string; readonly attempt: number; readonly lastSeq: number }[];
  /** Id of the spool last seen on the lane's volume. */
  findSpool(lane: string): string | null;
  saveSpool(lane: string, spool: string, atMs: number): void;
}

interface AttemptRow {
  readonly attempt: number;
  readonly generation: number;
  readonly dispatched_at: number;
  readonly last_seq: number;
  readonly finished: number;
  readonly ended_at: number | null;
  readonly outcome: string | null;
  readonly answers: string | null;
}

const N = "(SELECT n FROM jobs WHERE id = ?)";

/** The attempts in `tx`. */
export function createAttempts(tx: Tx): Attempts {
  const { db, path } = tx;
  const put = db.prepare(
    `INSERT INTO attempts (job, attempt, generation, dispatched_at) VALUES (${N}, ?, ?, ?)
     ON CONFLICT (job, attempt) DO UPDATE SET generation = excluded.generation`,
  );
  const end = db.prepare(`UPDATE attempts SET outcome = ?, ended_at = ? WHERE job = ${N} AND attempt = ?`);
  const putAnswers = db.prepare(`UPDATE attempts SET answers = ? WHERE job = ${N} AND attempt = ?`);
  const one = db.prepare<[string, number], AttemptRow>(`SELECT * FROM attempts WHERE job = ${N} AND attempt = ?`);
  const all = db.prepare<[string], AttemptRow>(`SELECT * FROM attempts WHERE job = ${N} ORDER BY attempt`);
  const acked = db.prepare<[string, number], { job: string; attempt: number; lastSeq: number }>(
    `SELECT j.id AS job, a.attempt, a.last_seq AS lastSeq FROM jobs j JOIN attempts a ON a.job = j.n
     WHERE j.lane = ? AND a.last_seq > 0 ORDER BY j.n DESC, a.attempt DESC LIMIT ?`,
  );
  const spool = db.prepare<[string], { readonly spool: string }>("SELECT spool FROM lane_spools WHERE lane = ?");
  const putSpool = db.prepare("INSERT OR REPLACE INTO lane_spools VALUES (?, ?, ?)");

  return {
    putAttempt: (job, attempt, generation, atMs) =>
      tx.write(() => {
        put.run(job, attempt, generation, atMs);
      }),
    endAttempt: (job, attempt, outcome, atMs) =>
      tx.write(() => {
        const { changes } = end.run(JSON.stringify(outcome), atMs, job, attempt);
        if (changes === 0) {
          throw new AppError({ code: "internal.bug", message: `job ${job} has no attempt ${attempt} to end` });
        }
      }),
    putAnswers: (job, attempt, items) =>
      tx.write(() => {
        putAnswers.run(JSON.stringify(items), job, attempt);
      }),
    listAnswers: (job, attempt) =>
      tx.read(() => {
        const answers = one.get(job, attempt)?.answers ?? null;
        if (answers === null) return [];
        // Written by putAnswers only.
        return parseJson(answers, { path, what: `job ${job}, attempt ${attempt}, answers` }) as readonly string[];
      }),
    findAttempt: (job, attempt) =>
      tx.read(() => {
        const row = one.get(job, attempt);
        return row ? toAttempt(row, { path, job }) : null;
      }),
    listAttempts: (job) => tx.read(() => all.all(job).map((row) => toAttempt(row, { path, job }))),
    listAcked: (lane, limit) => tx.read(() => acked.all(lane, limit)),
    findSpool: (lane) => tx.read(() => spool.get(lane)?.spool ?? null),
    saveSpool: (lane, id, atMs) =>
      tx.write(() => {
        putSpool.run(lane, id, atMs);
      }),
  };
}

function toAttempt(row: AttemptRow, at: { readonly path: string; readonly job: string }): StoredAttempt {
  const what = `job ${at.job}, attempt ${row.attempt}, outcome`;
  return {
    attempt: row.attempt,
    generation: row.generation,
    dispatchedAtMs: row.dispatched_at,
    lastSeq: row.last_seq,
    finished: row.finished === 1,
    endedAtMs: row.ended_at,
    // Written by endAttempt only.
    outcome: row.outcome === null ? null : (parseJson(row.outcome, { path: at.path, what }) as AttemptEnd),
  };
}
