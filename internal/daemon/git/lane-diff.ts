import { AppError, systemClock } from "../../base/index.ts";
import { diffLane, type HardenedGit, laneTip } from "../../git/index.ts";
import type { LaneGitService } from "../../hostapi/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { Core } from "../core.ts";

/** A person waits; what is not here by then is told. */
const SYNC_WAIT_MS = 3000;

/** `lane diff`. `scratch` is a folder of ours. */
export function createLaneDiff(core: Core, git: HardenedGit, scratch: string): LaneGitService["diff"] {
  return async (id, query, { signal }) => {
    const { lane } = core.supervisor.view(id);
    const gitDir = await core.gitDesk.gitDirOf(lane);
    const base = query.base ?? (await baseOf(git, lane, gitDir));
    // While the work tree is looked at: that is the lane's newest in any case.
    const stale = bringOver(core, lane, signal);
    const head = stale.then(async () => {
      const tip = await laneTip({ gitDir, lane: lane.name, branch: lane.branch });
      if (tip !== null) return tip;
      throw new AppError({
        code: "git.failed",
        message: `lane ${lane.name}: its branch ${lane.branch} is not there any more`,
        hint: `make it again: git branch ${lane.branch} <commit>`,
      });
    });
    // Whoever fails before it is waited for has more to say.
    head.catch(() => undefined);
    const patch = query.stat ? "none" : query.binary ? "whole" : "text";
    const { worktree } = lane;
    const found = await diffLane(git, { gitDir, worktree, base, head, scratch, path: query.path, patch, signal });
    return {
      ...found,
      lane: id,
      base: { ref: base, commit: found.base },
      files: found.files.map((file) => ({ ...file, binary: file.additions === null, flags: [...file.flags] })),
      stale: await stale,
    };
  };
}

/** What a lane is compared with and merged into; for one that has it not on record, the branch its repository has now. */
export async function baseOf(git: HardenedGit, lane: Lane, gitDir: string): Promise<string> {
  if (lane.settings.base !== null) return lane.settings.base;
  const head = await git({
    gitDir,
    cwd: gitDir,
    args: ["symbolic-ref", "--quiet", "--short", "HEAD"],
    okExits: [0, 1],
  });
  return head.exitCode === 0 ? head.stdout : "HEAD";
}

/** Takes the lane's commits over, and says why they may not all be here; null when they are. */
async function bringOver(core: Core, lane: Lane, signal: AbortSignal | undefined): Promise<string | null> {
  const { gitDesk } = core;
  if (!gitDesk.linked(lane)) return lane.generation === 0 ? null : "the lane's worker is not in reach";
  const timer = new AbortController();
  const within = signal ? AbortSignal.any([signal, timer.signal]) : timer.signal;
  const waited = systemClock.sleep(SYNC_WAIT_MS, { signal: within }).then(
    () => "they are still being taken over",
    () => "it was not waited for them",
  );
  // It goes on when it is not waited for any longer.
  const synced = gitDesk.sync(lane, {}).then(
    ({ diverged, held }) => (diverged ? "lane and host have gone apart" : held),
    (error: Error) => error.message,
  );
  const why = await Promise.race([synced, waited]);
  timer.abort();
  return why;
}
