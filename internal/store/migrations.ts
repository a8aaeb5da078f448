/** One step of the schema: SQL that turns version n - 1 into n. Never edited once released; add another one. */
export type Migration = string;

/**
 * The schema. Notes that the SQL does not say:
 * - `jobs.n` orders jobs by submission and is what other tables point to; `id` is what people see.
 * - Jobs outlive their lane: `jobs.lane` points nowhere. `lane_numbers` gives a lane's id a small number for the index
 *   over all events of a lane.
 * - `job_events.seq` is the host's log, 1..n per job; `worker_seq` is the worker's own number within an attempt, null
 *   for events of the host itself. Output text stands here and nowhere else.
 * - `attempts.last_seq` is the last of the worker's events on record: what is acknowledged.
 */
const V1 = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE workspaces (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE lanes (
  id TEXT PRIMARY KEY, workspace TEXT NOT NULL REFERENCES workspaces (id), name TEXT NOT NULL, branch TEXT NOT NULL,
  worktree TEXT NOT NULL, desired TEXT NOT NULL, settings TEXT NOT NULL, generation INTEGER NOT NULL,
  created_at INTEGER NOT NULL, UNIQUE (workspace, name), UNIQUE (worktree)
) WITHOUT ROWID;

CREATE TABLE generations (
  lane TEXT NOT NULL REFERENCES lanes (id) ON DELETE CASCADE, generation INTEGER NOT NULL, spec TEXT NOT NULL,
  fingerprint TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (lane, generation)
);

CREATE TABLE lane_memory (lane TEXT PRIMARY KEY REFERENCES lanes (id) ON DELETE CASCADE, memory TEXT NOT NULL);

CREATE TABLE lane_history (
  lane TEXT NOT NULL REFERENCES lanes (id) ON DELETE CASCADE, seq INTEGER NOT NULL, at INTEGER NOT NULL,
  generation INTEGER, event TEXT NOT NULL, from_state TEXT, to_state TEXT, cause TEXT, PRIMARY KEY (lane, seq)
);

CREATE TABLE lane_spools (lane TEXT PRIMARY KEY, spool TEXT NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE lane_numbers (n INTEGER PRIMARY KEY, lane TEXT NOT NULL UNIQUE);

CREATE TABLE jobs (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, lane TEXT NOT NULL, lane_n INTEGER NOT NULL REFERENCES lane_numbers (n),
  spec TEXT NOT NULL, body_hash TEXT NOT NULL, priority INTEGER NOT NULL, phase TEXT NOT NULL, state TEXT NOT NULL,
  log_seq INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER
);
CREATE INDEX jobs_lane ON jobs (lane);
CREATE INDEX jobs_queued ON jobs (lane, priority DESC, n) WHERE phase = 'queued';
CREATE INDEX jobs_active ON jobs (lane) WHERE phase IN ('dispatching', 'accepted', 'running');

CREATE TABLE idempotency_keys (
  lane TEXT NOT NULL, key TEXT NOT NULL, job INTEGER NOT NULL REFERENCES jobs (n), PRIMARY KEY (lane, key)
) WITHOUT ROWID;

CREATE TABLE attempts (
  job INTEGER NOT NULL REFERENCES jobs (n), attempt INTEGER NOT NULL, generation INTEGER NOT NULL,
  dispatched_at INTEGER NOT NULL, last_seq INTEGER NOT NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0,
  outcome TEXT, ended_at INTEGER, PRIMARY KEY (job, attempt)
) WITHOUT ROWID;

CREATE TABLE job_events (
  id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES jobs (n), seq INTEGER NOT NULL, attempt INTEGER NOT NULL,
  worker_seq INTEGER, lane_n INTEGER NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL
);
CREATE UNIQUE INDEX job_events_log ON job_events (job, seq);
CREATE UNIQUE INDEX job_events_worker ON job_events (job, attempt, worker_seq) WHERE worker_seq IS NOT NULL;
CREATE INDEX job_events_lane ON job_events (lane_n, id);

CREATE TABLE feed (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, lane TEXT, job TEXT, data TEXT NOT NULL
);
CREATE INDEX feed_lane ON feed (lane, seq) WHERE lane IS NOT NULL;
`;

/**
 * Agents. `sessions`: the session each prompt is in. `job_git`: commits and uncommitted paths that each job has left. `accounts`: what is known of the account an agent works under, as
 * that its usage limit is reached; the key is a salted digest, never a credential.
 */
const V2 = `
CREATE TABLE sessions (
  job INTEGER PRIMARY KEY REFERENCES jobs (n), lane TEXT NOT NULL, agent TEXT NOT NULL, session TEXT NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX sessions_lane ON sessions (lane, agent, at);

CREATE TABLE job_git (job INTEGER PRIMARY KEY REFERENCES jobs (n), work TEXT NOT NULL, at INTEGER NOT NULL);

CREATE TABLE accounts (key TEXT PRIMARY KEY, state TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
`;

/** All steps in order; the schema's version is their number. */
export const MIGRATIONS: readonly Migration[] = [V1, V2];
