import type { Logger } from "pino";
import { AppError, toError } from "../../base/index.ts";
import type { Dispatcher, Hold } from "../../dispatch/index.ts";
import { isTerminal, type Job } from "../../job/index.ts";
import { type Lane, type LaneCause, type SetupCommand, toSetupArgv } from "../../lane/index.ts";
import type { LaneConfigRecords, SetupRecord } from "../../store/index.ts";

/** How a lane's present container is prepared. */
interface SetupView {
  /** `none`: there was nothing to do. `pending`: it is not decided yet. */
  readonly state: "none" | "pending" | "running" | "done" | "failed" | "skipped";
  readonly job: string | null;
  /** Why jobs wait, where a person has to do something. */
  readonly cause: LaneCause | null;
}

/** Commands that prepare each new container of a lane before its first job, and those before a lane is removed. */
export interface LaneSetup {
  /** The lane's worker can be reached: has its container prepared if that was not done. Never throws. */
  begin(laneId: string): void;
  /** Keeps a job waiting until its lane is prepared. Never throws. */
  holdOf(job: Job): Hold | null;
  viewOf(lane: Lane): SetupView;
  /** Tries again what failed, or does it anew. @throws lane.not_ready, request.invalid when there is nothing to do */
  again(laneId: string): Job;
  /** Goes on without it. @throws lane.not_ready */
  skip(laneId: string): void;
  /**
   * Runs the commands that a lane wants before it goes, at most {@link TEARDOWN_MS}; nothing else is begun in it until
   * {@link forget}. A lane that cannot run them now goes without.
   * @throws lane.failed when they fail, but not with `force`
   */
  teardown(lane: Lane, opts: { readonly force: boolean; readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** The removal is over, one way or the other. */
  forget(laneId: string): void;
}

/** What it works with. */
interface LaneSetupDeps {
  readonly records: Pick<LaneConfigRecords, "findSetup" | "saveSetup">;
  readonly dispatcher: () => Pick<
    Dispatcher,
    "submit" | "retry" | "cancel" | "waitJob" | "busy" | "readmit" | "findJob"
  >;
  readonly findJob: (id: string) => Job | null;
  readonly findKey: (laneId: string, key: string) => Job | null;
  readonly findLane: (laneId: string) => Lane | null;
  readonly isReady: (laneId: string) => boolean;
  readonly commandsOf: (lane: Lane) => {
    readonly setup: readonly SetupCommand[];
    readonly teardown: readonly SetupCommand[];
  };
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** A lane's removal waits so long for its last commands. */
const TEARDOWN_MS = 60_000;
/** From the deadline to the job's end: INT, TERM, KILL. */
const END_MS = 30_000;
/** Above everything that people can ask for. */
const PRIORITY = 1000;
/** What could not be decided is looked at again so soon. */
const AGAIN_MS = 2000;

/** See {@link LaneSetup}. */
export function createLaneSetup(deps: LaneSetupDeps): LaneSetup {
  const { records } = deps;
  /** Of lanes that were asked for since the daemon's start. */
  const known = new Map<string, SetupRecord>();
  /** Lanes that are being removed, and the job of theirs that still may run. */
  const leaving = new Map<string, string | null>();

  const recordOf = (lane: Lane): SetupRecord | null => {
    const record = known.get(lane.id) ?? records.findSetup(lane.id);
    if (record) known.set(lane.id, record);
    return record?.generation === lane.generation ? record : null;
  };
  const save = (lane: Lane, record: SetupRecord): void => {
    records.saveSetup(lane.id, record);
    known.set(lane.id, record);
    deps.dispatcher().readmit();
  };
  const submit = (
    lane: Lane,
    commands: readonly SetupCommand[],
    key: string | null,
    deadlineMs: number | null,
  ): Job => {
    // Of a daemon that died before it had noted the job down; the commands may be others by now.
    const before = key === null ? null : deps.findKey(lane.id, key);
    if (before) return before;
    const work = { kind: "command", argv: toSetupArgv(commands) } as const;
    const spec = { work, key, deadlineMs, priority: PRIORITY, retry: "never" } as const;
    return deps.dispatcher().submit({ laneId: lane.id, spec }).job;
  };
  const run = (lane: Lane, commands: readonly SetupCommand[], tries: number): Job => {
    const { generation } = lane;
    const job = submit(lane, commands, `setup:${generation}${tries === 1 ? "" : `:${tries}`}`, null);
    save(lane, { generation, job: job.id, tries, skipped: false });
    return job;
  };
  const decide = (laneId: string): void => {
    const lane = deps.findLane(laneId);
    if (!lane || lane.generation === 0 || recordOf(lane)) return;
    const before = known.get(laneId)?.job ?? null;
    const open = before === null ? null : deps.findJob(before);
    if (open && !isTerminal(open.state)) deps.dispatcher().cancel(open.id);
    const { setup } = deps.commandsOf(lane);
    if (setup.length > 0) run(lane, setup, 1);
    else save(lane, { generation: lane.generation, job: null, tries: 0, skipped: false });
  };
  const begin: LaneSetup["begin"] = (laneId) => {
    try {
      decide(laneId);
    } catch (caught) {
      deps.log.error({ lane: laneId, err: toError(caught) }, "could not see to a lane's setup; it is tried again");
    }
  };
  const viewOf: LaneSetup["viewOf"] = (lane) => {
    const record = recordOf(lane);
    if (!record) return { state: lane.generation === 0 ? "none" : "pending", job: null, cause: null };
    const { job: id, skipped } = record;
    if (id === null || skipped) return { state: skipped ? "skipped" : "none", job: id, cause: null };
    const state = deps.findJob(id)?.state ?? null;
    if (state === null || state.phase === "succeeded") return { state: "done", job: id, cause: null };
    if (!isTerminal(state)) return { state: "running", job: id, cause: null };
    return { state: "failed", job: id, cause: failedCause(lane, id, state.phase) };
  };
  const mustFind = (laneId: string): Lane => {
    const lane = deps.findLane(laneId);
    if (lane && deps.isReady(laneId)) return lane;
    throw new AppError({
      code: "lane.not_ready",
      message: `lane ${lane?.name ?? laneId} is not running: its container is prepared at its next start`,
      hint: `start it: lane start ${lane?.name ?? laneId}`,
    });
  };

  return {
    begin,
    viewOf,
    holdOf: (job) => {
      const lane = deps.findLane(job.laneId);
      if (!lane) return null;
      const last = leaving.get(lane.id);
      if (last !== undefined) return last === job.id ? null : hold("the lane is being removed");
      const record = recordOf(lane);
      if (!record) {
        // Not from inside the dispatcher's own call.
        setImmediate(() => begin(lane.id));
        return hold("its container is to be prepared", deps.nowMs() + AGAIN_MS);
      }
      if (record.job === job.id) return null;
      const { state, cause } = viewOf(lane);
      if (state !== "running" && state !== "failed") return null;
      return hold(cause === null ? `its container is being prepared by job ${record.job}` : cause.message);
    },
    again: (laneId) => {
      const lane = mustFind(laneId);
      const { setup } = deps.commandsOf(lane);
      const record = recordOf(lane);
      const last = record?.job ? deps.findJob(record.job) : null;
      if (last && !isTerminal(last.state)) return last;
      if (setup.length === 0) throw nothingToDo(lane);
      const isSame = last?.spec.work.kind === "command" && isEqual(last.spec.work.argv, toSetupArgv(setup));
      if (last && record && isSame && last.state.phase !== "succeeded") {
        save(lane, { ...record, skipped: false });
        return deps.dispatcher().retry(last.id);
      }
      return run(lane, setup, (record?.tries ?? 0) + 1);
    },
    skip: (laneId) => {
      const lane = mustFind(laneId);
      const { generation } = lane;
      const record = recordOf(lane) ?? { generation, job: null, tries: 0, skipped: true };
      save(lane, { ...record, skipped: true });
      const job = record.job === null ? null : deps.findJob(record.job);
      if (job && !isTerminal(job.state)) deps.dispatcher().cancel(job.id);
    },
    teardown: async (lane, { force, signal }) => {
      const { teardown } = deps.commandsOf(lane);
      if (teardown.length === 0 || !deps.isReady(lane.id) || deps.dispatcher().busy(lane.id)) return;
      leaving.set(lane.id, null);
      try {
        const job = submit(lane, teardown, null, TEARDOWN_MS);
        leaving.set(lane.id, job.id);
        deps.dispatcher().readmit();
        const ended = await waitFor(deps, job.id, signal);
        if (ended?.state.phase !== "succeeded" && !force) throw teardownFailed(lane, job.id, ended);
      } catch (caught) {
        signal?.throwIfAborted();
        if (!force) throw caught;
        deps.log.warn({ lane: lane.id, err: toError(caught) }, "teardown failed; the lane is removed by force");
      }
    },
    forget: (laneId) => {
      leaving.delete(laneId);
      if (!deps.findLane(laneId)) known.delete(laneId);
      deps.dispatcher().readmit();
    },
  };
}

/** The job's end; null when it does not come: then it is cancelled. */
async function waitFor(deps: LaneSetupDeps, id: string, signal: AbortSignal | undefined): Promise<Job | null> {
  try {
    return await deps.dispatcher().waitJob(id, { timeoutMs: TEARDOWN_MS + END_MS, signal });
  } catch {
    deps.dispatcher().cancel(id);
    return null;
  }
}

function failedCause({ name }: Lane, job: string, phase: string): LaneCause {
  return {
    code: "setup_failed",
    message: `lane ${name}: its setup ${phase === "failed" ? "has failed" : `is ${phase}`}, job ${job}; its jobs wait`,
    hint: `see lane job show ${job}; again: lane setup ${name}; without it: lane setup ${name} --skip`,
  };
}

function hold(detail: string, untilMs: number | null = null): Hold {
  return { reason: "setup", detail, untilMs };
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, at) => word === b[at]);
}

function nothingToDo(lane: Lane): AppError {
  return new AppError({
    code: "request.invalid",
    message: `lane ${lane.name} has no setup commands`,
    hint: "give its workspace some: lane workspace set <workspace> setup='npm ci'; or setup in .lanekeeper.yaml",
  });
}

function teardownFailed(lane: Lane, job: string, ended: Job | null): AppError {
  return new AppError({
    code: "lane.failed",
    message: `lane ${lane.name} stays: its teardown ${ended ? `ended ${ended.state.phase}` : "did not end in time"}, job ${job}`,
    hint: `see it: lane job show ${job}; to remove the lane all the same: lane rm ${lane.name} --force`,
  });
}
