import { AppError } from "../base/index.ts";
import type { HostEventBody, JobLogEvent, WorkerEvent } from "../job/index.ts";
import { type EventRow, toLogEvent, toWorkerEvent, type WorkerEventRow } from "./parse-job.ts";
import type { Tx } from "./tx.ts";

/** The host's log of each job: seq 1..n, no gap, no repeat, over all attempts. */
export interface JobLog {
  /**
   * Appends a worker's events, which must follow on the last one on record, and moves the acknowledged number.
   * @throws internal.bug when they do not
   */
  appendWorkerEvents(job: string, attempt: number, events: readonly WorkerEvent[]): void;
  /** Appends an event of the host itself. */
  appendHostEvent(job: string, attempt: number, atMs: number, body: HostEventBody): void;
  /**
   * Takes at most `limit` events of output out of a job's log, the oldest first; in place of the first of each attempt
   * stands a `gap` with the length of all of them. The numbers of the other events stay. Gives how many it found.
   */
  dropOutput(job: string, limit: number): number;
  /** A worker's events of one attempt behind its number `after`, at most `limit`, oldest first. */
  readAttemptEvents(
    job: string,
    attempt: number,
    opts: { readonly after: number; readonly limit: number },
  ): readonly WorkerEvent[];
  /** Events after `after`, at most `limit`, oldest first. */
  readEvents(job: string, opts: { readonly after: number; readonly limit: number }): readonly JobLogEvent[];
  /** The last `limit` events of a job, oldest first. */
  lastEvents(job: string, opts: { readonly limit: number }): readonly JobLogEvent[];
  /** The last `limit` events over all jobs of a lane, in the order in which they were stored. */
  lastLaneEvents(lane: string, opts: { readonly limit: number }): readonly JobLogEvent[];
}

interface Reserved {
  readonly n: number;
  readonly lane_n: number;
  readonly log_seq: number;
}

/** An event of output; of its two lengths one is null. */
interface OutputRow {
  readonly id: number;
  readonly attempt: number;
  readonly text_bytes: number | null;
  readonly base64_bytes: number | null;
}

/** The logs in `tx`. */
export function createJobLog(tx: Tx): JobLog {
  const { db, path } = tx;
  const toEvent = (row: EventRow) => toLogEvent(row, path);
  const reserve = db.prepare<[number, string], Reserved>(
    "UPDATE jobs SET log_seq = log_seq + ? WHERE id = ? RETURNING n, lane_n, log_seq",
  );
  const insert = db.prepare(
    "INSERT INTO job_events (job, seq, attempt, worker_seq, lane_n, at, type, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const advance = db.prepare(
    `UPDATE attempts SET last_seq = ?, finished = max(finished, ?)
     WHERE job = ? AND attempt = ? AND last_seq = ? AND finished = 0`,
  );
  const oldestOutput = db.prepare<[string, number], OutputRow>(
    `SELECT id, attempt, length(CAST(json_extract(body, '$.text') AS BLOB)) AS text_bytes,
       length(json_extract(body, '$.base64')) * 3 / 4 AS base64_bytes
     FROM job_events WHERE job = (SELECT n FROM jobs WHERE id = ?) AND type = 'output' ORDER BY seq LIMIT ?`,
  );
  const toGap = db.prepare("UPDATE job_events SET type = 'gap', body = ? WHERE id = ?");
  const remove = db.prepare("DELETE FROM job_events WHERE id = ?");
  const columns = "j.id AS job, e.seq, e.attempt, e.at, e.type, e.body";
  const after = db.prepare<[string, number, number], EventRow>(
    `SELECT ${columns} FROM jobs j JOIN job_events e ON e.job = j.n WHERE j.id = ? AND e.seq > ? ORDER BY e.seq LIMIT ?`,
  );
  const ofAttempt = db.prepare<[string, number, number, number], WorkerEventRow>(
    `SELECT worker_seq, at, type, body FROM job_events
     WHERE job = (SELECT n FROM jobs WHERE id = ?) AND attempt = ? AND worker_seq > ? ORDER BY worker_seq LIMIT ?`,
  );
  const last = db.prepare<[string, number], EventRow>(
    `SELECT ${columns} FROM jobs j JOIN job_events e ON e.job = j.n WHERE j.id = ? ORDER BY e.seq DESC LIMIT ?`,
  );
  const lastOfLane = db.prepare<[string, number], EventRow>(
    `SELECT ${columns} FROM job_events e JOIN jobs j ON j.n = e.job
     WHERE e.lane_n = (SELECT n FROM lane_numbers WHERE lane = ?) ORDER BY e.id DESC LIMIT ?`,
  );

  const reserved = (job: string, count: number): Reserved => {
    const row = reserve.get(count, job);
    if (!row) throw new AppError({ code: "job.not_found", message: `there is no job ${job}` });
    return row;
  };

  return {
    appendWorkerEvents: (job, attempt, events) =>
      tx.write(() => {
        const first = events[0];
        if (!first) return;
        const { n, lane_n, log_seq } = reserved(job, events.length);
        let seq = log_seq - events.length;
        let expected = first.seq;
        let finished = 0;
        for (const { seq: workerSeq, atMs, type, ...body } of events) {
          if (workerSeq !== expected++) throw outOfOrder(job, attempt, workerSeq);
          if (type === "finished") finished = 1;
          insert.run(n, ++seq, attempt, workerSeq, lane_n, atMs, type, JSON.stringify(body));
        }
        const { changes } = advance.run(expected - 1, finished, n, attempt, first.seq - 1);
        if (changes === 0) throw outOfOrder(job, attempt, first.seq);
      }),
    appendHostEvent: (job, attempt, atMs, { type, ...body }) =>
      tx.write(() => {
        const { n, lane_n, log_seq } = reserved(job, 1);
        insert.run(n, log_seq, attempt, null, lane_n, atMs, type, JSON.stringify(body));
      }),
    dropOutput: (job, limit) =>
      tx.write(() => {
        const rows = oldestOutput.all(job, limit);
        const gaps = new Map<number, { readonly id: number; bytes: number }>();
        for (const { id, attempt, text_bytes, base64_bytes } of rows) {
          const gap = gaps.get(attempt);
          const bytes = text_bytes ?? base64_bytes ?? 0;
          if (gap) {
            gap.bytes += bytes;
            remove.run(id);
          } else gaps.set(attempt, { id, bytes });
        }
        for (const { id, bytes } of gaps.values()) toGap.run(JSON.stringify({ bytes }), id);
        return rows.length;
      }),
    readAttemptEvents: (job, attempt, opts) =>
      tx.read(() =>
        ofAttempt.all(job, attempt, opts.after, opts.limit).map((row) => toWorkerEvent(row, { path, job })),
      ),
    readEvents: (job, opts) => tx.read(() => after.all(job, opts.after, opts.limit).map(toEvent)),
    lastEvents: (job, { limit }) => tx.read(() => last.all(job, limit).reverse().map(toEvent)),
    lastLaneEvents: (lane, { limit }) => tx.read(() => lastOfLane.all(lane, limit).reverse().map(toEvent)),
  };
}

function outOfOrder(job: string, attempt: number, seq: number): AppError {
  return new AppError({
    code: "internal.bug",
    message: `job ${job}, attempt ${attempt}: worker event ${seq} does not follow on what is stored`,
  });
}
