import type { Tx } from "./tx.ts";

/** Agents' sessions, by the prompts that were in them. */
export interface Sessions {
  /** The job is in this session; its latest counts. For what is no prompt of an agent: no effect. */
  putSession(job: string, session: string, atMs: number): void;
  findSession(job: string): string | null;
  /** The latest session of the agent in the lane. */
  findLastSession(lane: string, agent: string): string | null;
}

type Row = { readonly session: string };

/** The sessions in `tx`. */
export function createSessions(tx: Tx): Sessions {
  const { db } = tx;
  const put = db.prepare(
    `INSERT INTO sessions (job, lane, agent, session, at)
     SELECT n, lane, json_extract(spec, '$.work.agent'), ?, ? FROM jobs
     WHERE id = ? AND json_extract(spec, '$.work.agent') IS NOT NULL
     ON CONFLICT (job) DO UPDATE SET session = excluded.session, at = excluded.at`,
  );
  const byJob = db.prepare<[string], Row>("SELECT session FROM sessions WHERE job = (SELECT n FROM jobs WHERE id = ?)");
  const last = db.prepare<[string, string], Row>(
    "SELECT session FROM sessions WHERE lane = ? AND agent = ? ORDER BY at DESC, job DESC LIMIT 1",
  );
  return {
    putSession: (job, session, atMs) =>
      tx.write(() => {
        put.run(session, atMs, job);
      }),
    findSession: (job) => tx.read(() => byJob.get(job)?.session ?? null),
    findLastSession: (lane, agent) => tx.read(() => last.get(lane, agent)?.session ?? null),
  };
}
