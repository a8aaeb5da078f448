import { AppError, Semaphore } from "../../base/index.ts";
import { describeRepository, type HardenedGit, howMerged, startOfWorktree, tipOfBranch } from "../../git/index.ts";
import type { CallOptions } from "../../hostapi/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { ApiPrunableLane } from "../../protocol/index.ts";
import type { Core } from "../core.ts";
import { whyOpen } from "../inbox/open-items.ts";
import type { LossesDesk } from "./lane-losses.ts";

/** Looks at this many lanes at once. */
const LOOKS_AT_ONCE = 2;

/** What a look for lanes that could go works with. */
export interface PruneDeps {
  readonly core: Core;
  readonly git: HardenedGit;
  readonly losses: LossesDesk;
}

/**
 * Lanes that have moved on from where they began and whose work is all in their base. Lanes with a worktree of
 * somebody's are left out: nobody knows where they began. Removes nothing.
 */
export async function listPrunable(deps: PruneDeps, opts: CallOptions): Promise<readonly ApiPrunableLane[]> {
  const room = new Semaphore(LOOKS_AT_ONCE);
  const found = deps.core.supervisor.lanes().map((lane) => room.run(opts, () => lookAt(deps, lane, opts)));
  return (await Promise.all(found)).filter((one) => one !== null);
}

async function lookAt(deps: PruneDeps, lane: Lane, opts: CallOptions): Promise<ApiPrunableLane | null> {
  const { core, git, losses } = deps;
  const workspace = core.store.workspaces.find(lane.workspaceId);
  if (!workspace || lane.desired === "gone") return null;
  try {
    const repo = await describeRepository(git, workspace.path, opts);
    const { gitDir } = repo;
    const { branch, settings } = lane;
    const base = settings.base ?? repo.branch;
    if (base === null || base === branch) return null;
    // A lane that was made at a moment ago is merged too, and is not to go for that.
    const start = await startOfWorktree(repo, lane.worktree);
    const tip = await tipOfBranch(git, { gitDir, branch, signal: opts.signal });
    if (start === null || tip === null || tip === start) return null;
    const merged = await howMerged(git, { gitDir, branch, base, signal: opts.signal });
    if (merged === null) return null;
    const blocked = whyBusy(core, lane) ?? (await whyLost(losses, lane, repo, opts));
    return { lane: lane.id, name: lane.name, workspace: workspace.name, branch, base, merged, blocked };
  } catch (caught) {
    opts.signal?.throwIfAborted();
    // Its worktree or repository is gone: a case for `lane rm`.
    if (caught instanceof AppError) return null;
    throw caught;
  }
}

function whyBusy(core: Core, lane: Lane): string | null {
  if (core.dispatcher.busy(lane.id)) return "a job runs in it";
  if (core.dispatcher.queued(lane.id) > 0) return "a job waits in it";
  return whyOpen(core.inbox.list({ bucket: "open", laneId: lane.id, limit: 100 }));
}

async function whyLost(
  losses: LossesDesk,
  lane: Lane,
  repo: { readonly gitDir: string },
  opts: CallOptions,
): Promise<string | null> {
  const { lost } = await losses.of(lane, repo, opts);
  return lost.length === 0 ? null : `would lose ${lost.join("; ")}`;
}
