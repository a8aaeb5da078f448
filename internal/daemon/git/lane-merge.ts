import { AppError, Semaphore, withDeadline } from "../../base/index.ts";
import { type HardenedGit, laneTip, mergeLane, worktreeStatus } from "../../git/index.ts";
import type { CallOptions, LaneGitService } from "../../hostapi/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { Core } from "../core.ts";
import { baseOf } from "./lane-diff.ts";

/** Nothing is merged before the lane's commits are here. */
const SYNC_MS = 60_000;
/** So many uncommitted paths are named. */
const LISTED_MAX = 100;

/** `lane merge`. `scratch` is a folder of ours. */
export function createLaneMerge(core: Core, git: HardenedGit, scratch: string): LaneGitService["merge"] {
  // One at a time: two merges into one branch would only make each other begin anew.
  const turn = new Semaphore(1);
  return async (id, wanted, opts) => {
    const { lane } = core.supervisor.view(id);
    const { signal } = opts;
    const gitDir = await core.gitDesk.gitDirOf(lane);
    const into = (wanted.into ?? (await baseOf(git, lane, gitDir))).replace(/^refs\/heads\//, "");
    await bringOver(core, lane, opts);
    const status = await worktreeStatus(git, { repo: { gitDir }, path: lane.worktree, base: null, signal });
    const uncommitted = [...status.changed, ...status.untracked];
    if (!core.gitDesk.linked(lane) && lane.generation > 0 && uncommitted.length > 0) throw notKnown(lane);
    return turn.run(opts, async () => {
      const head = await laneTip({ gitDir, lane: lane.name, branch: lane.branch });
      if (head === null) throw noBranch(lane);
      const dryRun = wanted.dryRun ?? false;
      const merged = await mergeLane(git, {
        gitDir,
        lane: lane.name,
        head,
        into,
        strategy: wanted.strategy ?? "auto",
        message: wanted.message,
        allowFlagged: wanted.allowFlagged ?? false,
        dryRun,
        ofLanes: core.supervisor.lanes().map(({ worktree }) => worktree),
        scratch,
        signal,
      });
      const { strategy, before, after, commits, flagged } = merged;
      if (!dryRun && strategy !== "none") {
        const data = { name: lane.name, into, strategy, before, after, commits };
        core.store.feed.append({ atMs: Date.now(), type: "lane.merged", lane: id, job: null, data });
      }
      return {
        ...{ lane: id, into, strategy, before, after, commits, dryRun },
        flagged: flagged.map((file) => ({ ...file, binary: file.additions === null, flags: [...file.flags] })),
        uncommitted: uncommitted.slice(0, LISTED_MAX),
      };
    });
  };
}

/** Takes the lane's commits over. @throws git.conflict when lane and host have gone apart, and what a sync throws */
async function bringOver(core: Core, lane: Lane, { signal }: CallOptions): Promise<void> {
  const { gitDesk } = core;
  if (!gitDesk.linked(lane)) {
    if (gitDesk.noteOf(lane.id)?.diverged) throw goneApart(lane);
    return;
  }
  const makeError = () =>
    new AppError({
      code: "timeout",
      message: `lane ${lane.name}: its commits were not taken over within ${SYNC_MS / 1000} s`,
      hint: `try: lane sync ${lane.name}`,
      retry: "retryable",
    });
  const outcome = await withDeadline({ ms: SYNC_MS, signal, makeError }, (within) =>
    gitDesk.sync(lane, { signal: within }),
  );
  if (outcome.diverged) throw goneApart(lane);
}

function goneApart(lane: Lane): AppError {
  return new AppError({
    code: "git.conflict",
    message: `lane ${lane.name}: its branch ${lane.branch} has gone apart in the lane and on the host, so which one to merge is open`,
    hint: `settle that first: lane show ${lane.name} has both tips`,
  });
}

/** Its files differ from the last commit that is known, so there may be newer ones. */
function notKnown(lane: Lane): AppError {
  return new AppError({
    code: "lane.not_ready",
    message: `lane ${lane.name}: its worker is not in reach, and its files differ from the last commit that was taken over`,
    hint: `start it, then merge again: lane start ${lane.name}`,
    retry: "retryable",
  });
}

function noBranch(lane: Lane): AppError {
  return new AppError({
    code: "git.failed",
    message: `lane ${lane.name}: its branch ${lane.branch} is not there any more`,
    hint: `make it again: git branch ${lane.branch} <commit>`,
  });
}
