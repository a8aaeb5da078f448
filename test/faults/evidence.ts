import { chmod, copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { ApiLane } from "../../internal/protocol/api.ts";
import type { Installation } from "../support/installation.ts";
import { podman } from "../support/podman.ts";
import type { Evidence } from "./checker.ts";

/** The agent and its ledger, as a lane sees its worktree. */
const AGENT = "ledger-agent.sh";
const LEDGER = "ledger.txt";

/** Puts the fake agent into a lane's worktree. */
export async function furnish(lane: ApiLane): Promise<void> {
  const agent = join(lane.worktree, AGENT);
  await copyFile(join(import.meta.dirname, AGENT), agent);
  await chmod(agent, 0o755);
}

/** The command of a job that runs the fake agent: `lines` numbered lines, `pauseS` seconds before each. */
export function agentArgv(opts: { readonly lines: number; readonly pauseS: number }): readonly string[] {
  return ["sh", `/workspace/${AGENT}`, `/workspace/${LEDGER}`, String(opts.lines), opts.pauseS.toFixed(2)];
}

/** What the agents of a lane have noted so far. */
export async function readLedgerOf(lane: ApiLane): Promise<string> {
  return readFile(join(lane.worktree, LEDGER), "utf8").catch(() => "");
}

/** Asks all three witnesses. The daemon may be running: the database is only read. */
export async function gatherEvidence(
  home: Installation,
  opts: { readonly lanes: readonly ApiLane[]; readonly acknowledged: readonly string[] },
): Promise<Evidence> {
  const ledgers = await Promise.all(opts.lanes.map(readLedgerOf));
  const containers = await listContainers(await home.installId());
  return {
    ledger: ledgers.join(""),
    acknowledged: opts.acknowledged,
    containers,
    jobs: queryStore(home, "SELECT id, lane, phase FROM jobs ORDER BY n"),
    attempts: queryStore(home, "SELECT j.id AS job, a.attempt FROM attempts a JOIN jobs j ON j.n = a.job"),
    events: queryStore(
      home,
      `SELECT j.id AS job, e.attempt, e.seq, e.worker_seq AS workerSeq
       FROM job_events e JOIN jobs j ON j.n = e.job ORDER BY e.id`,
    ),
  };
}

/** How many jobs are in each phase, as the database says. */
export function countPhases(home: Installation): Readonly<Record<string, number>> {
  const rows = queryStore<{ phase: string; n: number }>(home, "SELECT phase, count(*) AS n FROM jobs GROUP BY phase");
  return Object.fromEntries(rows.map(({ phase, n }) => [phase, n]));
}

/** Every event that says that a job has ended, as the database has them. */
export function listEnds(home: Installation): readonly { readonly job: string; readonly phase: string }[] {
  return queryStore(
    home,
    `SELECT * FROM (SELECT j.id AS job, json_extract(e.body, '$.phase') AS phase
     FROM job_events e JOIN jobs j ON j.n = e.job WHERE e.type = 'state' ORDER BY e.id)
     WHERE phase IN ('succeeded', 'failed', 'cancelled', 'lost')`,
  );
}

/** Reads the installation's database, of which one commit is seen, whether or not a daemon runs. */
function queryStore<T>(home: Installation, sql: string): readonly T[] {
  const db = new Database(join(home.stateDir, "lanekeeper.db"), { readonly: true, fileMustExist: true });
  try {
    return db.prepare<[], T>(sql).all();
  } finally {
    db.close();
  }
}

/** A row of `podman ps --format json`. */
interface PsRow {
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}

async function listContainers(install: string): Promise<Evidence["containers"]> {
  const filter = ["--filter", `label=io.lanekeeper.install=${install}`];
  const rows = JSON.parse(await podman("ps", "-a", ...filter, "--format", "json")) as PsRow[];
  return rows.map((row) => ({ lane: row.Labels?.["io.lanekeeper.lane"] ?? "", state: row.State }));
}
