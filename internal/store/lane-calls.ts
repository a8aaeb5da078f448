import type { InboxReport } from "../job/index.ts";
import type { Tx } from "./tx.ts";

/** What lanes have called for: by key, so that a repeated call has one effect; and their reports. */
export interface LaneCalls {
  /** What the lane's call with this key has made; null when there was none. */
  findCall(laneId: string, key: string): { readonly hash: string; readonly made: string } | null;
  /** Notes a call. Part of the transaction in which it has its effect. */
  putCall(laneId: string, key: string, call: { readonly hash: string; readonly made: string }): void;
  /** The lane is gone: another one of its name knows none of its keys. */
  forgetCalls(laneId: string): void;
  /** What a call has made is no more: the call means something new from now on. */
  forgetMade(id: string): void;
  /** Returns its number. */
  putReport(report: InboxReport): number;
  countReports(job: string): number;
  /** The latest of the job's reports that call the work done. */
  findSummary(job: string): string | null;
  /** How far something has been read; null for never. */
  findMark(name: string): number | null;
  putMark(name: string, seq: number): void;
}

/** The calls in `tx`. */
export function createLaneCalls(tx: Tx): LaneCalls {
  const { db } = tx;
  const findCall = db.prepare<[string, string], { readonly hash: string; readonly made: string }>(
    "SELECT hash, made FROM lane_calls WHERE lane = ? AND key = ?",
  );
  const putCall = db.prepare("INSERT INTO lane_calls VALUES (?, ?, ?, ?)");
  const forget = db.prepare("DELETE FROM lane_calls WHERE lane = ?");
  const forgetMade = db.prepare("DELETE FROM lane_calls WHERE made = ?");
  const putReport = db.prepare("INSERT INTO reports (lane, job, level, body, files, at) VALUES (?, ?, ?, ?, ?, ?)");
  const count = db.prepare<[string], { readonly n: number }>("SELECT count(*) AS n FROM reports WHERE job = ?");
  const summary = db.prepare<[string], { readonly body: string }>(
    "SELECT body FROM reports WHERE job = ? AND level = 'done' ORDER BY n DESC LIMIT 1",
  );
  const findMark = db.prepare<[string], { readonly value: string }>("SELECT value FROM meta WHERE key = ?");
  const putMark = db.prepare("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  return {
    findCall: (laneId, key) => tx.read(() => findCall.get(laneId, key) ?? null),
    putCall: (laneId, key, { hash, made }) =>
      tx.write(() => {
        putCall.run(laneId, key, hash, made);
      }),
    forgetCalls: (laneId) =>
      tx.write(() => {
        forget.run(laneId);
      }),
    forgetMade: (id) =>
      tx.write(() => {
        forgetMade.run(id);
      }),
    putReport: ({ laneId, job, level, body, files, atMs }) =>
      tx.write(() => Number(putReport.run(laneId, job, level, body, JSON.stringify(files), atMs).lastInsertRowid)),
    countReports: (job) => tx.read(() => count.get(job)?.n ?? 0),
    findSummary: (job) => tx.read(() => summary.get(job)?.body ?? null),
    findMark: (name) =>
      tx.read(() => {
        const row = findMark.get(name);
        return row === undefined ? null : Number(row.value);
      }),
    putMark: (name, seq) =>
      tx.write(() => {
        putMark.run(name, String(seq));
      }),
  };
}
