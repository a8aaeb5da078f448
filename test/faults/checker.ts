/** A line of the ledger: what an agent itself noted, outside the product. */
export interface LedgerLine {
  readonly job: string;
  readonly attempt: number;
  readonly what: "start" | "end";
  /** In the container. */
  readonly pid: number;
  readonly atMs: number;
}

/** All that is known after a run, from three witnesses: the agents' ledger, the database, `podman ps`. */
export interface Evidence {
  readonly ledger: string;
  /** Ids of the jobs whose submission was answered. */
  readonly acknowledged: readonly string[];
  readonly jobs: readonly { readonly id: string; readonly lane: string; readonly phase: string }[];
  readonly attempts: readonly { readonly job: string; readonly attempt: number }[];
  /** `workerSeq` is null for the host's own events. */
  readonly events: readonly {
    readonly job: string;
    readonly attempt: number;
    readonly seq: number;
    readonly workerSeq: number | null;
  }[];
  readonly containers: readonly { readonly lane: string; readonly state: string }[];
}

/** What must not be. `what` names it, `text` is for people. */
export interface Violation {
  readonly what:
    | "ledger_unreadable"
    | "missing"
    | "not_terminal"
    | "started_twice"
    | "started_unrecorded"
    | "overlap"
    | "event_gap"
    | "event_repeat"
    | "no_end"
    | "no_process";
  readonly text: string;
}

const TERMINAL: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled", "lost"]);

/** Holds the three witnesses against each other. Pure. Gives nothing when all is well. */
export function findViolations(evidence: Evidence): readonly Violation[] {
  const { lines, broken } = readLedger(evidence.ledger);
  const unreadable = broken.map((line) => violation("ledger_unreadable", `not a line of an agent: ${line}`));
  return [
    ...unreadable,
    ...checkJobs(evidence),
    ...checkStarts(evidence, lines),
    ...checkOverlaps(lines),
    ...checkEvents(evidence),
    ...checkEnds(evidence, lines),
    ...checkProcesses(evidence),
  ];
}

/** The ledger's lines in the order in which they were written. */
export function readLedger(text: string): {
  readonly lines: readonly LedgerLine[];
  readonly broken: readonly string[];
} {
  const lines: LedgerLine[] = [];
  const broken: string[] = [];
  for (const line of text.split("\n")) {
    const [, job, attempt, what, pid, at] = /^(\w+)\/(\d+) (start|end) (\d+) (\d+)$/.exec(line) ?? [];
    if (job !== undefined && (what === "start" || what === "end")) {
      lines.push({ job, attempt: Number(attempt), what, pid: Number(pid), atMs: Number(at) });
    } else if (line !== "") broken.push(line);
  }
  return { lines, broken };
}

function checkJobs({ acknowledged, jobs }: Evidence): readonly Violation[] {
  const known = new Set(jobs.map((job) => job.id));
  return [
    ...acknowledged
      .filter((id) => !known.has(id))
      .map((id) => violation("missing", `job ${id} was acknowledged and is not on record`)),
    ...jobs
      .filter((job) => !TERMINAL.has(job.phase))
      .map((job) => violation("not_terminal", `job ${job.id} is ${job.phase}`)),
  ];
}

function checkStarts({ attempts }: Evidence, lines: readonly LedgerLine[]): readonly Violation[] {
  const recorded = new Set(attempts.map(nameOf));
  const starts = countBy(lines.filter((line) => line.what === "start").map(nameOf));
  return [...starts].flatMap(([name, count]) => [
    ...(count > 1 ? [violation("started_twice", `attempt ${name} was started ${count} times`)] : []),
    ...(recorded.has(name) ? [] : [violation("started_unrecorded", `attempt ${name} ran and is not on record`)]),
  ]);
}

/** Two attempts of one job ran at the same time. One that never ended may have been killed at any time: it counts until its start only. */
function checkOverlaps(lines: readonly LedgerLine[]): readonly Violation[] {
  const found: Violation[] = [];
  for (const [job, ofJob] of groupBy(lines, (line) => line.job)) {
    const spans = ofJob
      .filter((line) => line.what === "start")
      .map(({ attempt, pid, atMs }) => {
        const end = ofJob.find((line) => line.what === "end" && line.attempt === attempt && line.pid === pid);
        return { attempt, fromMs: atMs, toMs: end?.atMs ?? atMs };
      })
      .sort((a, b) => a.fromMs - b.fromMs);
    for (const [i, span] of spans.entries()) {
      const before = spans.slice(0, i).find((other) => other.attempt !== span.attempt && other.toMs > span.fromMs);
      if (before) {
        found.push(violation("overlap", `attempts ${before.attempt} and ${span.attempt} of job ${job} overlap`));
      }
    }
  }
  return found;
}

/** The host's log of a job is 1..n, the worker's numbers of an attempt are 1..n. */
function checkEvents({ events }: Evidence): readonly Violation[] {
  const ofJobs = groupBy(events, (event) => `the log of job ${event.job}`);
  const ofAttempts = groupBy(
    events.filter((event) => event.workerSeq !== null),
    (event) => `the worker's events of ${nameOf(event)}`,
  );
  return [
    ...[...ofJobs].flatMap(([where, of]) =>
      checkNumbers(
        where,
        of.map(({ seq }) => seq),
      ),
    ),
    ...[...ofAttempts].flatMap(([where, of]) =>
      checkNumbers(
        where,
        of.map(({ workerSeq }) => workerSeq ?? 0),
      ),
    ),
  ];
}

function checkNumbers(where: string, numbers: readonly number[]): readonly Violation[] {
  const found: Violation[] = [];
  let last = 0;
  for (const number of [...numbers].sort((a, b) => a - b)) {
    if (number === last) found.push(violation("event_repeat", `${where}: ${number} is there twice`));
    else if (number !== last + 1) found.push(violation("event_gap", `${where}: ${number} follows on ${last}`));
    last = number;
  }
  return found;
}

function checkEnds({ jobs }: Evidence, lines: readonly LedgerLine[]): readonly Violation[] {
  const ended = new Set(lines.filter((line) => line.what === "end").map((line) => line.job));
  return jobs
    .filter((job) => job.phase === "succeeded" && !ended.has(job.id))
    .map((job) => violation("no_end", `job ${job.id} succeeded, but its agent never came to its end`));
}

function checkProcesses({ jobs, containers }: Evidence): readonly Violation[] {
  const alive = new Set(containers.filter((one) => one.state === "running").map((one) => one.lane));
  return jobs
    .filter((job) => job.phase === "running" && !alive.has(job.lane))
    .map((job) => violation("no_process", `job ${job.id} is running, lane ${job.lane} has no running container`));
}

const violation = (what: Violation["what"], text: string): Violation => ({ what, text });

const nameOf = (at: { readonly job: string; readonly attempt: number }): string => `${at.job}/${at.attempt}`;

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function countBy(names: readonly string[]): ReadonlyMap<string, number> {
  return new Map([...groupBy(names, (name) => name)].map(([name, of]) => [name, of.length]));
}
