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

/**
 * The inbox. `inbox_items.bucket` is `open`, `snoozed` or `done` (all the rest), for lists; `due_at`: when its snooze or its
 * time is over. `lane_calls`: calls of lanes by their keys, and what they have made.
 */
const V3 = `
CREATE TABLE inbox_items (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, lane TEXT, job TEXT, attempt INTEGER, subject TEXT,
  bucket TEXT NOT NULL, state TEXT NOT NULL, facts TEXT NOT NULL, delivered INTEGER NOT NULL, created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL, expires_at INTEGER, due_at INTEGER
);
CREATE INDEX inbox_bucket ON inbox_items (bucket, n);
CREATE INDEX inbox_kind ON inbox_items (kind, bucket, n);
CREATE INDEX inbox_lane ON inbox_items (lane, n) WHERE lane IS NOT NULL;
CREATE INDEX inbox_lane_bucket ON inbox_items (lane, bucket, n) WHERE lane IS NOT NULL;
CREATE INDEX inbox_job ON inbox_items (job, n) WHERE job IS NOT NULL;
CREATE INDEX inbox_subject ON inbox_items (subject, n) WHERE subject IS NOT NULL;
CREATE UNIQUE INDEX inbox_waiting ON inbox_items (subject) WHERE subject IS NOT NULL AND bucket <> 'done';
CREATE INDEX inbox_due ON inbox_items (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE tasks (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, lane TEXT NOT NULL, parent TEXT NOT NULL, job TEXT, title TEXT NOT NULL,
  body TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE INDEX tasks_lane ON tasks (lane, n);
CREATE INDEX tasks_parent ON tasks (parent);
CREATE INDEX tasks_job ON tasks (job) WHERE job IS NOT NULL;
CREATE INDEX tasks_due ON tasks (n) WHERE state = 'accepted' AND job IS NULL;

CREATE TABLE reports (
  n INTEGER PRIMARY KEY, lane TEXT NOT NULL, job TEXT NOT NULL, level TEXT NOT NULL, body TEXT NOT NULL, files TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX reports_job ON reports (job, n);

CREATE TABLE lane_calls (
  lane TEXT NOT NULL, key TEXT NOT NULL, hash TEXT NOT NULL, made TEXT NOT NULL, PRIMARY KEY (lane, key)
) WITHOUT ROWID;
`;

/**
 * Jobs that wait for an answer. `attempts.answers`: ids of the questions with whose outcome an attempt begins, as JSON;
 * null for none.
 */
const V4 = `
ALTER TABLE attempts ADD COLUMN answers TEXT;
CREATE INDEX jobs_awaiting ON jobs (lane) WHERE phase = 'awaiting_answer';
`;

/**
 * What lanes are made with. `approvals`: a person's word on content, by its digest. `repository_files`: the repository's
 * own file as it was last fit to be used. `lane_setups`: how the present container was prepared.
 */
const V5 = `
CREATE TABLE workspace_settings (
  workspace TEXT PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE, settings TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE approvals (
  workspace TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE, sha256 TEXT NOT NULL, word TEXT NOT NULL,
  at INTEGER NOT NULL, PRIMARY KEY (workspace, sha256)
) WITHOUT ROWID;

CREATE TABLE repository_files (
  lane TEXT PRIMARY KEY REFERENCES lanes (id) ON DELETE CASCADE, commit_id TEXT NOT NULL, text TEXT
) WITHOUT ROWID;

CREATE TABLE lane_setups (
  lane TEXT PRIMARY KEY REFERENCES lanes (id) ON DELETE CASCADE, generation INTEGER NOT NULL, job TEXT,
  tries INTEGER NOT NULL, skipped INTEGER NOT NULL
) WITHOUT ROWID;
`;

/** Answers to requests of the host API, by their idempotency keys, for a day. `scope`: the route's name. */
const V6 = `
CREATE TABLE request_keys (
  scope TEXT NOT NULL, key TEXT NOT NULL, hash TEXT NOT NULL, status INTEGER NOT NULL, body TEXT, at INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX request_keys_at ON request_keys (at);
`;

/**
 * Calls of lanes by what they have made, so that they go with it. `lane_looks`: what a lane's git dir held when its
 * container was stopped; `run` says which start of which container that was.
 */
const V7 = `
CREATE INDEX lane_calls_made ON lane_calls (made);

CREATE TABLE lane_looks (
  lane TEXT PRIMARY KEY REFERENCES lanes (id) ON DELETE CASCADE, run TEXT NOT NULL, held TEXT NOT NULL
) WITHOUT ROWID;
`;

/** All steps in order; the schema's version is their number. */
export const MIGRATIONS: readonly Migration[] = [V1, V2, V3, V4, V5, V6, V7];
