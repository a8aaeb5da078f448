import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { AppError, type Clock, TaskGroup, toAppError, waitAtMost, withDeadline } from "../../base/index.ts";
import { type HardenedGit, markOfBranch, type SyncOutcome, syncLane, worktreeStatus } from "../../git/index.ts";
import { IN_LANE, type Lane, type LaneSpec, type Workspace } from "../../lane/index.ts";
import { GIT_LIMITS } from "../../protocol/index.ts";
import type { Feed, FeedEntry } from "../../store/index.ts";
import type { LaneGit } from "../../workerlink/index.ts";
import { createLaneRepositories, type LaneRepositories } from "./lane-repositories.ts";
import { type LaneSaid, laneSideOf } from "./lane-side.ts";

/** What the desk works with. */
export interface GitDeskDeps {
  readonly git: HardenedGit;
  /** For bundles on their way; only ours. */
  readonly dir: string;
  readonly lanes: () => readonly Lane[];
  readonly findWorkspace: (id: string) => Workspace | null;
  readonly findSpec: (laneId: string, generation: number) => LaneSpec | null;
  /** The lane's git over its link; null without one. */
  readonly linkOf: (laneId: string) => LaneGit | null;
  readonly busy: (laneId: string) => boolean;
  readonly feed: Pick<Feed, "append" | "subscribe">;
  /** What is kept of a job's earlier attempts. */
  readonly workOf: (job: string) => JobWorkLeft | null;
  /** The lane's latest ended job, when what it has left is not on record. */
  readonly unkeptJobOf: (laneId: string) => string | null;
  /** Keeps what a job has left. */
  readonly saveWork: (job: string, work: JobWorkLeft, atMs: number) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a job has left in git. */
export interface JobWorkLeft {
  /** Commits that the host got after the job, newest first. */
  readonly commits: readonly string[];
  /** Paths that are in no commit. */
  readonly uncommitted: readonly string[];
}

/** What the last sync of a lane found. */
export interface GitNote {
  /** Both tips, when they have gone apart; null when they have not. */
  readonly diverged: { readonly lane: string | null; readonly host: string | null } | null;
  /** Why one side could not follow the other one, or why they could not be compared. */
  readonly held: string | null;
}

/** Git between the lanes and their repositories. */
export interface GitDesk
  extends Pick<LaneRepositories, "gitDirOf" | "objectsOf" | "checkShareable" | "seedOf">,
    AsyncDisposable {
  /**
   * Brings lane and host to the same commits. Calls for one lane run one after the other.
   * @throws lane.not_ready without a link, worker.refused, git.refused, git.failed, timeout
   */
  sync(lane: Lane, opts: { readonly signal?: AbortSignal | undefined }): Promise<SyncOutcome>;
  /** Waits until a sync that is due or under way has ended, well or not, at most `waitMs`. Never rejects. */
  settle(lane: Lane, opts: { readonly waitMs: number; readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Can the lane be asked now? */
  linked(lane: Lane): boolean;
  /** The lane is gone for good. */
  forget(laneId: string): void;
  /** What the last sync since the daemon's start found; null without one. */
  noteOf(laneId: string): GitNote | null;
}

/** Between two looks at idle lanes: a look at one where nothing has moved starts no process in it. */
const IDLE_EVERY_MS = 20_000;
const FIRST_LOOK_MS = 3000;
/** A large bundle from a slow machine. */
const SYNC_MS = 10 * 60_000;
/** So many commits, and so many paths, are kept of a job. */
const WORK_MAX = 100;
/** Syncs at once over all lanes. */
const AT_ONCE = 2;

/** Syncs lanes after each job and now and then, until disposed of. */
export function createGitDesk(deps: GitDeskDeps): GitDesk {
  const { git, clock, log, feed } = deps;
  const repositories = createLaneRepositories(deps);
  const notes = new Map<string, GitNote>();
  const last = new Map<string, Promise<unknown>>();
  /** Lanes at rest: tip of both sides, and the host's mark of then. */
  const rests = new Map<string, { readonly tip: string; readonly mark: string }>();
  /** By lane: the job that has ended; null when none did. */
  const due = new Map<string, string | null>();
  /** By lane: the sync after its latest job, as far as it goes on. */
  const after = new Map<string, Promise<unknown>>();
  /** By lane: how many jobs were seen to end. */
  const ends = new Map<string, number>();
  /** By lane: commits that came while its job ran. */
  const early = new Map<string, readonly string[]>();
  const over = new AbortController();
  const tasks = new TaskGroup((name, err) => log.error({ op: name, err }, "git task failed"));
  let working = 0;

  /** A lane made without a git dir of its own has a worker that may not know these questions. */
  const linkOf = (lane: Lane): LaneGit | null => {
    const mounts = deps.findSpec(lane.id, lane.generation)?.mounts ?? [];
    return mounts.some(({ target }) => target === IN_LANE.gitPointer) ? deps.linkOf(lane.id) : null;
  };
  /** What the lane says it has beyond what both agreed on; null when the host has moved, or is not known to agree. */
  const askAtRest = async (lane: Lane, link: LaneGit, mark: string, signal: AbortSignal): Promise<LaneSaid | null> => {
    const rest = rests.get(lane.id);
    if (rest?.mark !== mark) return null;
    return { have: rest.tip, ...(await link.fetch({ branch: lane.branch, have: [rest.tip] }, { signal })) };
  };
  const run = async (lane: Lane, signal: AbortSignal): Promise<SyncOutcome> => {
    const link = linkOf(lane);
    if (link === null) throw notLinked(lane);
    const gitDir = await repositories.gitDirOf(lane);
    await mkdir(deps.dir, { recursive: true, mode: 0o700 });
    const isBusy = () => deps.busy(lane.id);
    const { name, branch, worktree } = lane;
    const [wasBusy, endsBefore] = [isBusy(), ends.get(lane.id)];
    const mark = await markOfBranch(gitDir, branch);
    const said = await askAtRest(lane, link, mark, signal);
    // Both stand where they stood: no process has to be started to see that.
    if (said !== null && said.tip === said.have) {
      return { lane: said.tip, host: said.tip, commits: [], diverged: false, held: null };
    }
    rests.delete(lane.id);
    const file = join(deps.dir, `${lane.id}.bundle`);
    const side = laneSideOf(link, { lane: name, file, isBusy, said, signal });
    const maxBytes = GIT_LIMITS.bundleBytes;
    const seedTip = repositories.seedTipOf(lane.id);
    try {
      const agreed = said?.have ?? null;
      const wanted = { gitDir, lane: name, branch, worktree, maxBytes, seedTip, agreed, signal };
      const outcome = await syncLane(git, wanted, side);
      repositories.forgetTip(lane.id);
      const besideJob = wasBusy || isBusy() || ends.get(lane.id) !== endsBefore;
      if (besideJob) early.set(lane.id, [...outcome.commits, ...(early.get(lane.id) ?? [])].slice(0, WORK_MAX));
      const { lane: tip, host, held } = outcome;
      // Of before, if nothing has moved: a move by somebody else since then must not pass for rest.
      if (tip !== null && tip === host && held === null && outcome.commits.length === 0)
        rests.set(lane.id, { tip, mark });
      return outcome;
    } finally {
      await side.clear();
    }
  };
  const note = (lane: Lane, outcome: SyncOutcome): void => {
    const before = notes.get(lane.id) ?? null;
    const tips = { lane: outcome.lane, host: outcome.host };
    notes.set(lane.id, { diverged: outcome.diverged ? tips : null, held: outcome.held });
    const told = before?.diverged;
    const append = (type: string, data: Readonly<Record<string, unknown>>) =>
      feed.append({ atMs: clock.nowMs(), type, lane: lane.id, job: null, data: { branch: lane.branch, ...data } });
    if (outcome.commits.length > 0) append("lane.imported", { commits: outcome.commits.length, tip: outcome.lane });
    const isNews = told?.lane !== tips.lane || told?.host !== tips.host;
    if (outcome.diverged && isNews) append("lane.diverged", tips);
  };
  /** What the job has left is what came with the first sync after it, and while it ran. */
  const keepWork = async (lane: Lane, job: string, { commits }: SyncOutcome): Promise<void> => {
    const before = deps.workOf(job)?.commits ?? [];
    const all = [...new Set([...commits, ...(early.get(lane.id) ?? []), ...before])];
    early.delete(lane.id);
    const gitDir = await repositories.gitDirOf(lane);
    const { changed, untracked } = await worktreeStatus(git, {
      repo: { gitDir },
      path: lane.worktree,
      base: null,
      signal: over.signal,
    });
    const uncommitted = [...changed, ...untracked];
    const work = { commits: all.slice(0, WORK_MAX), uncommitted: uncommitted.slice(0, WORK_MAX) };
    deps.saveWork(job, work, clock.nowMs());
  };
  /** A sync with what follows from it, for those who wait for both. */
  const follow = (lane: Lane, job: string | null): Promise<void> => {
    const mine = sync(lane, {}).then((outcome) => (job === null ? undefined : keepWork(lane, job, outcome)));
    const settled = mine.catch(() => undefined);
    after.set(lane.id, settled);
    void settled.then(() => after.get(lane.id) === settled && after.delete(lane.id));
    return mine;
  };
  /** One after the other for each lane. */
  const inTurn = <T>(laneId: string, fn: () => Promise<T>): Promise<T> => {
    const mine = (last.get(laneId) ?? Promise.resolve()).then(fn);
    const settled = mine.catch(() => undefined);
    last.set(laneId, settled);
    void settled.then(() => last.get(laneId) === settled && last.delete(laneId));
    return mine;
  };
  const sync: GitDesk["sync"] = (lane, { signal }) =>
    inTurn(lane.id, async () => {
      const both = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
      const makeError = () => tooLong(lane);
      try {
        const outcome = await withDeadline({ ms: SYNC_MS, signal: both, makeError }, (within) => run(lane, within));
        note(lane, outcome);
        return outcome;
      } catch (caught) {
        const error = toAppError(caught);
        const known = notes.get(lane.id)?.diverged ?? null;
        if (error.code !== "lane.not_ready") notes.set(lane.id, { diverged: known, held: error.message });
        throw error;
      }
    });
  const work = () => {
    for (const [laneId, job] of due) {
      if (working >= AT_ONCE || over.signal.aborted) return;
      due.delete(laneId);
      const lane = deps.lanes().find(({ id }) => id === laneId);
      if (lane === undefined || linkOf(lane) === null) continue;
      working++;
      tasks.run(`sync ${laneId}`, async () => {
        const before = notes.get(laneId)?.held;
        try {
          await follow(lane, job);
        } catch (caught) {
          const error = toAppError(caught);
          const isNews = error.message !== before && !over.signal.aborted;
          if (isNews) log.warn({ lane: laneId, err: error }, "lane not synced; it is tried again");
        } finally {
          working--;
          work();
        }
      });
    }
  };
  const stopListening = feed.subscribe((entry) => {
    if (entry.lane === null || !isJobEnd(entry)) return;
    due.set(entry.lane, entry.job);
    ends.set(entry.lane, (ends.get(entry.lane) ?? 0) + 1);
    // Never from inside the store's own call.
    setImmediate(work);
  });
  let stopTimer = () => {};
  const lookAtIdle = () => {
    stopTimer = clock.timer(IDLE_EVERY_MS, lookAtIdle);
    // A job whose end an earlier daemon saw, or whose sync failed, gets its work now.
    for (const lane of deps.lanes())
      if (!deps.busy(lane.id) && deps.linkOf(lane.id) !== null && !due.has(lane.id))
        due.set(lane.id, deps.unkeptJobOf(lane.id));
    work();
  };
  // Soon for the first time: lanes may have worked on while no daemon ran.
  stopTimer = clock.timer(FIRST_LOOK_MS, lookAtIdle);

  return {
    gitDirOf: repositories.gitDirOf,
    objectsOf: repositories.objectsOf,
    checkShareable: repositories.checkShareable,
    seedOf: repositories.seedOf,
    sync,
    settle: async (lane, { waitMs, signal }) => {
      const running = after.get(lane.id) ?? last.get(lane.id);
      const job = due.get(lane.id);
      due.delete(lane.id);
      if (linkOf(lane) === null || (job === undefined && running === undefined)) return;
      const ended = job === undefined ? running : follow(lane, job);
      if (ended !== undefined) await waitAtMost(ended, { waitMs, clock, signal });
    },
    linked: (lane) => linkOf(lane) !== null,
    forget: (laneId) => {
      for (const memory of [notes, rests, early, ends]) memory.delete(laneId);
      repositories.forgetTip(laneId);
    },
    noteOf: (laneId) => notes.get(laneId) ?? null,
    async [Symbol.asyncDispose]() {
      stopListening();
      stopTimer();
      over.abort(new AppError({ code: "daemon.stopping", message: "the daemon is stopping" }));
      await tasks.close();
      await Promise.all([...last.values(), ...after.values()]);
    },
  };
}

/** Of an attempt: one that waits for an answer goes on as another one. */
const ENDS: ReadonlySet<string> = new Set([
  "job.succeeded",
  "job.failed",
  "job.cancelled",
  "job.lost",
  "job.awaiting_answer",
]);

function isJobEnd({ type }: FeedEntry): boolean {
  return ENDS.has(type);
}

function notLinked(lane: Lane): AppError {
  return new AppError({
    code: "lane.not_ready",
    message: `lane ${lane.name}: its worker is not in reach, so its commits cannot be asked for`,
    hint: `start it: lane start ${lane.name}`,
    retry: "retryable",
  });
}

function tooLong(lane: Lane): AppError {
  return new AppError({
    code: "timeout",
    message: `lane ${lane.name}: its commits were not taken over within ${SYNC_MS / 60_000} minutes`,
    hint: `try again: lane sync ${lane.name}`,
    retry: "retryable",
  });
}
