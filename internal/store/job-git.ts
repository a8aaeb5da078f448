import * as z from "zod";
import { parseStored } from "./parse-stored.ts";
import type { Tx } from "./tx.ts";

/** What jobs have left in git: ids of commits, newest first, and paths that are in none. */
export interface JobGit {
  readonly commits: readonly string[];
  readonly uncommitted: readonly string[];
}

/** What is on record of it. */
export interface JobGitRecords {
  /** Replaces what was known of the job. An unknown job: no effect. */
  putGit(job: string, work: JobGit, atMs: number): void;
  findGit(job: string): JobGit | null;
  /** The lane's latest job, when it has ended and what it left then is not on record; else null. */
  findUnkept(laneId: string): string | null;
}

const schema: z.ZodType<JobGit> = z.object({ commits: z.array(z.string()), uncommitted: z.array(z.string()) });

/** The records in `tx`. */
export function createJobGit(tx: Tx): JobGitRecords {
  const { db, path } = tx;
  const put = db.prepare(
    `INSERT INTO job_git SELECT n, ?, ? FROM jobs WHERE id = ?
     ON CONFLICT (job) DO UPDATE SET work = excluded.work, at = excluded.at`,
  );
  const find = db.prepare<[string], { readonly work: string }>(
    "SELECT work FROM job_git WHERE job = (SELECT n FROM jobs WHERE id = ?)",
  );
  const latest = db.prepare<[string], { readonly id: string; readonly kept: number | null }>(
    `SELECT id, ended_at <= (SELECT at FROM job_git WHERE job = n) AS kept FROM jobs
     WHERE lane = ? AND ended_at IS NOT NULL ORDER BY n DESC LIMIT 1`,
  );
  return {
    findUnkept: (laneId) =>
      tx.read(() => {
        const row = latest.get(laneId);
        return row && row.kept !== 1 ? row.id : null;
      }),
    putGit: (job, work, atMs) =>
      tx.write(() => {
        put.run(JSON.stringify(work), atMs, job);
      }),
    findGit: (job) =>
      tx.read(() => {
        const row = find.get(job);
        return row ? parseStored(schema, row.work, { path, what: `job ${job}, git` }) : null;
      }),
  };
}
