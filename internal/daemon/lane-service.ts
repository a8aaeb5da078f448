import { dirname, join } from "node:path";
import { AppError, Semaphore } from "../base/index.ts";
import {
  addWorktree,
  countOnlyInLane,
  countUnimported,
  describeRepository,
  type HardenedGit,
  removeLaneRefs,
  removeWorktree,
  renderLosses,
  worktreeLosses,
  worktreeStatus,
} from "../git/index.ts";
import { type CallOptions, type LaneService, type NewLane, toApiPlan } from "../hostapi/index.ts";
import { DEFAULT_SETTINGS, IN_LANE, type Lane, type LaneSettings, laneIdOf, type Workspace } from "../lane/index.ts";
import type { ApiLane, ApiPlan } from "../protocol/index.ts";
import type { Core } from "./core.ts";
import { execPlanOf } from "./exec-plan.ts";
import { toView } from "./lane-views.ts";

/** A stop does not wait longer for the lane's last commits. */
const STOP_SYNC_MS = 10_000;

/** A person waits for a removal; a container that will not go is reported, not waited for. */
const REMOVE_WAIT_MS = 60_000;

/** Lanes as the host API needs them: the supervisor's, with their worktrees. */
export function createLaneService(core: Core, git: HardenedGit): LaneService {
  const { supervisor, store, dispatcher, gitDesk } = core;
  const view = (id: string) => toView(core, supervisor.view(id), null);
  // Git lists a work tree that is just being made by another call as a broken one, and fails.
  const adding = new Semaphore(1);
  return {
    lanes: () => supervisor.lanes(),
    findLane: (id) => supervisor.findLane(id),
    list: () => supervisor.list().map((seen) => toView(core, seen, null)),
    get: async (id, opts) => {
      const seen = supervisor.view(id);
      return toView(core, seen, await gitOf(core, git, seen.lane, opts));
    },
    add: async (wanted, opts) => {
      const workspace = mustFindWorkspace(core, wanted.workspaceId);
      refuseKnown(core, workspace, wanted.name);
      const repo = await describeRepository(git, workspace.path, opts);
      await gitDesk.checkShareable(repo.gitDir);
      const path = worktreePath(workspace, wanted.name);
      const branch = wanted.branch ?? wanted.name;
      const from = wanted.from ?? "HEAD";
      const added = await adding.run(opts, () => addWorktree(git, { repo, path, branch, from, signal: opts.signal }));
      const lane = toLane(wanted, added.path, branch);
      store.lanes.insertLane(lane);
      return toView(core, supervisor.add(lane), null);
    },
    planAdd: async (wanted, opts) => {
      const workspace = mustFindWorkspace(core, wanted.workspaceId);
      refuseKnown(core, workspace, wanted.name);
      await describeRepository(git, workspace.path, opts);
      return planOfAdd(workspace, wanted);
    },
    remove: (id, opts) => removeLane(core, git, id, opts),
    patch: (id, change) => {
      const { settings } = supervisor.view(id).lane;
      supervisor.patch(id, merge(settings, change));
      return view(id);
    },
    ensure: async (id, opts) => toView(core, await supervisor.ensure(id, opts), null),
    start: async (id, opts) => toView(core, await supervisor.startLane(id, opts), null),
    stop: async (id, opts) => {
      // A stopped lane cannot be asked for its commits. What is held or broken there must not keep it from stopping.
      const { lane } = supervisor.view(id);
      const within = AbortSignal.any([AbortSignal.timeout(STOP_SYNC_MS), ...(opts.signal ? [opts.signal] : [])]);
      if (gitDesk.linked(lane)) await gitDesk.sync(lane, { signal: within }).catch(() => null);
      return toView(core, await supervisor.stop(id, opts), null);
    },
    sync: async (id, opts) => {
      const { lane } = supervisor.view(id);
      await gitDesk.sync(lane, opts);
      return toView(core, supervisor.view(id), await gitOf(core, git, lane, opts));
    },
    restart: async (id, opts) => toView(core, await supervisor.recreate(id, { ...opts, kind: "restart" }), null),
    recreate: async (id, opts) => toView(core, await supervisor.recreate(id, { ...opts, kind: "recreate" }), null),
    plan: async (id, intent, opts) => toApiPlan(id, await supervisor.plan(id, intent, opts)),
    drift: (id) => {
      const { lane, drift } = supervisor.view(id);
      const policy = lane.settings.drift;
      const action =
        drift.length === 0
          ? "none"
          : policy === "hold"
            ? "held"
            : dispatcher.busy(id) && policy === "when-idle"
              ? "waiting-for-idle"
              : "recreating";
      return { lane: id, policy, action, fields: drift.map(({ part, field, was, is }) => ({ part, field, was, is })) };
    },
    history: (id, { limit }) => store.lanes.listHistory(id, { limit }),
    execPlan: (id, request) => {
      const seen = supervisor.view(id);
      const record = store.lanes.findGeneration(id, seen.lane.generation);
      return execPlanOf(supervisor.connection(), seen, record?.spec ?? null, request);
    },
    containerLogs: async (id, { lines, signal }) => {
      const { container } = supervisor.view(id);
      if (!container) return { container: null, lines: [] };
      return {
        container: container.id,
        lines: await supervisor.connection().runtime.containerLogs(container.id, { lines, signal }),
      };
    },
  };
}

function mustFindWorkspace(core: Core, id: string): Workspace {
  const workspace = core.store.workspaces.find(id);
  if (workspace) return workspace;
  throw new AppError({
    code: "workspace.not_found",
    message: `there is no workspace ${id}`,
    hint: "see: lane workspace ls",
  });
}

function refuseKnown(core: Core, workspace: Workspace, name: string): void {
  if (!core.supervisor.findLane(laneIdOf(workspace.id, name))) return;
  throw new AppError({
    code: "lane.exists",
    message: `workspace ${workspace.name} has a lane ${name} already`,
    hint: `use it: lane show ${name}; or give another name`,
  });
}

/** Beside the repository: `<repo>.lanes/<lane>`. */
function worktreePath(workspace: Workspace, name: string): string {
  return join(dirname(workspace.path), `${workspace.path.slice(dirname(workspace.path).length + 1)}.lanes`, name);
}

function toLane(wanted: NewLane, worktree: string, branch: string): Lane {
  return {
    id: laneIdOf(wanted.workspaceId, wanted.name),
    name: wanted.name,
    workspaceId: wanted.workspaceId,
    branch,
    worktree,
    desired: "up",
    settings: merge(DEFAULT_SETTINGS, wanted.settings),
    generation: 0,
    createdAtMs: Date.now(),
  };
}

function merge(settings: LaneSettings, change: NewLane["settings"]): LaneSettings {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  return { ...settings, ...given };
}

function planOfAdd(workspace: Workspace, wanted: NewLane): ApiPlan {
  const cause = { code: "user_add", message: "by request" };
  const branch = wanted.branch ?? wanted.name;
  const step = (op: string, text: string) => ({ op, text, destructive: false, cause });
  return {
    lane: laneIdOf(workspace.id, wanted.name),
    steps: [
      step("worktree", `make a worktree of branch ${branch} at ${worktreePath(workspace, wanted.name)}`),
      step("create", `create network, volume and container, the worktree at ${IN_LANE.workspace}`),
      step("start", "start container"),
      step("prove", "wait for the worker's proof"),
    ],
  };
}

async function gitOf(core: Core, git: HardenedGit, lane: Lane, opts: CallOptions): Promise<ApiLane["git"]> {
  const workspace = core.store.workspaces.find(lane.workspaceId);
  if (!workspace) return null;
  try {
    const repo = await describeRepository(git, workspace.path, opts);
    const status = await worktreeStatus(git, {
      repo,
      path: lane.worktree,
      base: repo.branch ?? repo.commit,
      signal: opts.signal,
    });
    const { ahead, behind, dirty } = status;
    const { gitDir } = repo;
    const unimported = await countUnimported(git, {
      gitDir,
      lane: lane.name,
      branch: lane.branch,
      signal: opts.signal,
    });
    const { diverged = null, held = null } = core.gitDesk.noteOf(lane.id) ?? {};
    return { ahead, behind, dirty, unimported, diverged, held };
  } catch (error) {
    // A lane whose worktree or repository is gone is still to be seen.
    if (error instanceof AppError && error.code !== "cancelled") return null;
    throw error;
  }
}

/** Refuses what would lose work, then removes container, network, volume, record and worktree. */
async function removeLane(
  core: Core,
  git: HardenedGit,
  id: string,
  opts: CallOptions & { readonly force: boolean },
): Promise<void> {
  const { supervisor, dispatcher, store } = core;
  const { lane } = supervisor.view(id);
  const workspace = store.workspaces.find(lane.workspaceId);
  const repo = workspace ? await describeRepository(git, workspace.path, opts).catch(() => null) : null;
  if (!opts.force) {
    if (dispatcher.busy(id)) throw busyError(lane);
    const losses = repo
      ? await worktreeLosses(git, { repo, path: lane.worktree, signal: opts.signal }).catch(ignoreMissing)
      : null;
    if (losses) throw wouldLose(lane, renderLosses(losses));
    if (repo) await refuseUnimported(core, git, lane, { gitDir: repo.gitDir, signal: opts.signal });
  }
  await supervisor.remove(id, { waitMs: REMOVE_WAIT_MS, signal: opts.signal });
  // Looked at once more: nothing in the lane can write any more, and what it wrote meanwhile counts too.
  core.gitDesk.forget(id);
  if (!repo) return;
  await removeWorktree(git, { repo, path: lane.worktree, force: opts.force, signal: opts.signal });
  await removeLaneRefs(git, { gitDir: repo.gitDir, lane: lane.name });
}

/** Commits go with the lane's volume, unless they are on a branch of the host. */
async function refuseUnimported(
  core: Core,
  git: HardenedGit,
  lane: Lane,
  at: { readonly gitDir: string; readonly signal: AbortSignal | undefined },
): Promise<void> {
  if (core.gitDesk.linked(lane)) {
    const outcome = await core.gitDesk.sync(lane, at).catch((error: Error) => ({ held: error.message }));
    if (outcome.held !== null) throw wouldLose(lane, `commits that cannot be taken over now (${outcome.held})`);
  }
  const count = await countOnlyInLane(git, { ...at, lane: lane.name });
  if (count > 0) throw wouldLose(lane, `${count === 1 ? "1 commit" : `${count} commits`} that no branch has`);
}

function ignoreMissing(error: unknown): null {
  if (error instanceof AppError && error.code === "lane.worktree_missing") return null;
  throw error;
}

function busyError(lane: Lane): AppError {
  return new AppError({
    code: "lane.busy",
    message: `lane ${lane.name} is running a job`,
    hint: `wait for it or cancel it (lane jobs ${lane.name}); to remove it all the same: lane rm ${lane.name} --force`,
  });
}

function wouldLose(lane: Lane, losses: string): AppError {
  return new AppError({
    code: "lane.would_lose_work",
    message: `removing lane ${lane.name} would lose ${losses} in ${lane.worktree}`,
    hint: `commit it there, or remove it all the same: lane rm ${lane.name} --force`,
  });
}
