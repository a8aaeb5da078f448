import { AppError, toAppError } from "../../base/index.ts";
import {
  deleteBranch,
  describeRepository,
  type HardenedGit,
  howMerged,
  type Repository,
  releaseWorktree,
  removeLaneRefs,
  removeWorktree,
  tipOfBranch,
} from "../../git/index.ts";
import type { CallOptions } from "../../hostapi/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { ApiPlan, ApiRemovedLane } from "../../protocol/index.ts";
import type { Core } from "../core.ts";
import type { LaneLosses, LossesDesk } from "./lane-losses.ts";

/** A person waits for a removal; a container that will not go is reported, not waited for. */
const REMOVE_WAIT_MS = 60_000;
/** With force, what would be lost is named if it can be found out in this time. */
const FORCED_LOOK_MS = 15_000;

const NOTHING: LaneLosses = { lost: [], ignored: 0, lookedInto: new Set(), keepsWorktree: false };

/** What a removal works with. */
export interface RemoveDeps {
  readonly core: Core;
  readonly git: HardenedGit;
  readonly losses: LossesDesk;
}

/**
 * Refuses what would lose work, then removes container, network, volume, record, and the worktree that was made for it.
 * @throws lane.busy, lane.would_lose_work (both not with `force`), git.conflict (a branch that is not merged), timeout
 */
export async function removeLane(
  deps: RemoveDeps,
  id: string,
  opts: CallOptions & { readonly force: boolean; readonly deleteBranch: boolean },
): Promise<ApiRemovedLane> {
  const { core, git } = deps;
  const { lane } = core.supervisor.view(id);
  const repo = await repositoryOf(deps, lane, opts);
  if (!opts.force && core.dispatcher.busy(id)) throw busyError(lane);
  const losses = await lossesOf(deps, lane, repo, opts);
  if (!opts.force && losses.lost.length > 0) throw wouldLose(lane, losses);
  // A job that has begun meanwhile may have more to lose than was seen.
  if (!opts.force && core.dispatcher.busy(id)) throw busyError(lane);
  const tip = opts.deleteBranch ? await requireMerged(git, lane, repo, opts) : null;
  try {
    await core.setup.teardown(lane, opts);
    await core.supervisor.remove(id, { waitMs: REMOVE_WAIT_MS, signal: opts.signal });
  } finally {
    core.setup.forget(id);
  }
  // Looked at once more: nothing in the lane can write any more, and what it wrote meanwhile counts too.
  core.gitDesk.forget(id);
  const { name, branch, worktree } = lane;
  if (repo) {
    const { gitDir } = repo;
    const { lookedInto } = losses;
    if (losses.keepsWorktree) await releaseWorktree(git, { repo, path: worktree, signal: opts.signal });
    else await removeWorktree(git, { repo, path: worktree, lookedInto, force: opts.force, signal: opts.signal });
    await removeLaneRefs(git, { gitDir, lane: name });
    if (tip !== null) await deleteBranch(git, { gitDir, branch, tip });
  }
  const { lost, ignored, keepsWorktree } = losses;
  return {
    ...{ id, name, removed: true, lost: [...lost], ignored, branch },
    worktreeKept: keepsWorktree,
    branchDeleted: tip !== null,
  };
}

/** The steps of a removal that are not the container's, and what would be lost. */
export async function planOfRemoval(deps: RemoveDeps, id: string, opts: CallOptions): Promise<ApiPlan["steps"]> {
  const { lane } = deps.core.supervisor.view(id);
  const repo = await repositoryOf(deps, lane, opts);
  const { lost, ignored, keepsWorktree } = await lossesOf(deps, lane, repo, { ...opts, force: false });
  const step = (op: string, text: string, destructive: boolean, code = "user_remove") => {
    return { op, text, destructive, cause: { code, message: "by request" } };
  };
  const beside = ignored === 0 ? "" : ` with ${ignored} ignored ${ignored === 1 ? "path" : "paths"}`;
  return [
    ...(repo === null
      ? []
      : [
          keepsWorktree
            ? step("worktree", `keep worktree ${lane.worktree}, which was there before`, false)
            : step("worktree", `remove worktree ${lane.worktree}${beside}, keep branch ${lane.branch}`, true),
        ]),
    ...lost.map((what) => step("lose", `needs --force: would lose ${what}`, true, "lane.would_lose_work")),
  ];
}

/** Null when it is gone: then nothing of it can be looked after. */
async function repositoryOf(deps: RemoveDeps, lane: Lane, opts: CallOptions): Promise<Repository | null> {
  const workspace = deps.core.store.workspaces.find(lane.workspaceId);
  if (!workspace) return null;
  return describeRepository(deps.git, workspace.path, opts).catch((error: unknown) => {
    opts.signal?.throwIfAborted();
    return toAppError(error).code === "workspace.invalid" ? null : Promise.reject(error);
  });
}

async function lossesOf(
  { losses }: RemoveDeps,
  lane: Lane,
  repo: Repository | null,
  opts: CallOptions & { readonly force: boolean },
): Promise<LaneLosses> {
  if (repo === null) return NOTHING;
  if (!opts.force) return losses.of(lane, repo, opts);
  const within = AbortSignal.timeout(FORCED_LOOK_MS);
  const signal = opts.signal ? AbortSignal.any([opts.signal, within]) : within;
  return losses.of(lane, repo, { signal }).catch((error: unknown) => {
    opts.signal?.throwIfAborted();
    return { ...NOTHING, lost: [`what could not be found out (${toAppError(error).message})`] };
  });
}

async function requireMerged(
  git: HardenedGit,
  lane: Lane,
  repo: Repository | null,
  opts: CallOptions,
): Promise<string | null> {
  if (repo === null) return null;
  const { branch, settings } = lane;
  const { gitDir } = repo;
  const base = settings.base ?? repo.branch ?? repo.commit;
  const tip = await tipOfBranch(git, { gitDir, branch, signal: opts.signal });
  if (tip === null) return null;
  if (base !== branch && (await howMerged(git, { gitDir, branch, base, signal: opts.signal })) !== null) return tip;
  throw new AppError({
    code: "git.conflict",
    message: `lane ${lane.name}: branch ${branch} is not merged into ${base}, so it is not deleted`,
    hint: `merge it first (lane merge ${lane.name}), or remove the lane and keep its branch: lane rm ${lane.name}`,
  });
}

function busyError(lane: Lane): AppError {
  return new AppError({
    code: "lane.busy",
    message: `lane ${lane.name} is running a job`,
    hint: `wait for it or cancel it (lane jobs ${lane.name}); to remove it all the same: lane rm ${lane.name} --force`,
  });
}

function wouldLose(lane: Lane, { lost }: LaneLosses): AppError {
  return new AppError({
    code: "lane.would_lose_work",
    message: `removing lane ${lane.name} would lose ${lost.join("; ")} (${lane.worktree})`,
    hint: `commit it there, or remove it all the same: lane rm ${lane.name} --force`,
    details: { lost },
  });
}
