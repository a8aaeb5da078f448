import { AppError, Semaphore } from "../../base/index.ts";
import { countUnimported, describeRepository, type HardenedGit, worktreeStatus } from "../../git/index.ts";
import type { CallOptions, LaneView } from "../../hostapi/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { ApiLane } from "../../protocol/index.ts";
import type { Core } from "../core.ts";
import { toView } from "../lanes/lane-views.ts";

/** Looks at this many worktrees at once: each is a handful of processes. */
const LOOKS_AT_ONCE = 4;
/** A worktree that takes longer is shown without; the others do not wait for it. */
const LOOK_MS = 5000;

/** How a lane stands in git; null when its worktree or its repository is not there, or was not to be looked at in time. */
export async function gitStateOf(core: Core, git: HardenedGit, lane: Lane, opts: CallOptions): Promise<ApiLane["git"]> {
  const workspace = core.store.workspaces.find(lane.workspaceId);
  if (!workspace) return null;
  const { signal } = opts;
  try {
    const repo = await describeRepository(git, workspace.path, opts);
    const base = lane.settings.base ?? repo.branch ?? repo.commit;
    const { gitDir } = repo;
    const [{ ahead, behind, dirty }, unimported] = await Promise.all([
      worktreeStatus(git, { repo, path: lane.worktree, base, signal }),
      countUnimported(git, { gitDir, lane: lane.name, branch: lane.branch, signal }),
    ]);
    const { diverged = null, held = null } = core.gitDesk.noteOf(lane.id) ?? {};
    const push = lane.settings.onSuccess === "push" ? core.pushes.noteOf(lane.id) : null;
    return { ahead, behind, dirty, unimported, diverged, held, push };
  } catch (error) {
    // A lane whose worktree or repository is gone is still to be seen.
    if (error instanceof AppError && !signal?.aborted) return null;
    throw error;
  }
}

/** All lanes, each with how it stands in git. */
export async function listWithGit(core: Core, git: HardenedGit, opts: CallOptions): Promise<readonly LaneView[]> {
  const room = new Semaphore(LOOKS_AT_ONCE);
  return Promise.all(
    core.supervisor.list().map((seen) =>
      room.run(opts, async () => {
        const tooLong = AbortSignal.timeout(LOOK_MS);
        const signal = opts.signal ? AbortSignal.any([opts.signal, tooLong]) : tooLong;
        const state = await gitStateOf(core, git, seen.lane, { signal }).catch((error: unknown) => {
          if (opts.signal?.aborted) throw error;
          return null;
        });
        return toView(core, seen, state);
      }),
    ),
  );
}
