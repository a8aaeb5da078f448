import { basename, dirname, join } from "node:path";
import { AppError, Semaphore } from "../../base/index.ts";
import { addWorktree, describeRepository, type HardenedGit, noticesOf, type Repository } from "../../git/index.ts";
import type { CallOptions, LaneView, NewLane } from "../../hostapi/index.ts";
import { DEFAULT_SETTINGS, IN_LANE, type Lane, type LaneSettings, laneIdOf, type Workspace } from "../../lane/index.ts";
import type { ApiPlan } from "../../protocol/index.ts";
import type { Core } from "../core.ts";
import { toView } from "./lane-views.ts";

/** Makes lanes. */
export interface LaneMaker {
  /** @throws lane.exists, workspace.invalid, git.conflict, usage.invalid */
  add(wanted: NewLane, opts: CallOptions): Promise<LaneView>;
  /** What `add` would do. Changes nothing. */
  plan(wanted: NewLane, opts: CallOptions): Promise<ApiPlan>;
}

/** Makes lanes with their worktrees, one at a time in each repository. */
export function createLaneMaker(core: Core, git: HardenedGit): LaneMaker {
  const { supervisor, store, gitDesk } = core;
  // Git lists a work tree that is just being made by another call as a broken one, and fails.
  const adding = new Map<string, Semaphore>();
  const turnIn = (gitDir: string) => {
    const turn = adding.get(gitDir) ?? new Semaphore(1);
    adding.set(gitDir, turn);
    return turn;
  };
  const laneAt = (path: string) => supervisor.lanes().find(({ worktree }) => worktree === path)?.name ?? null;
  return {
    add: async (wanted, opts) => {
      const { signal } = opts;
      const workspace = mustFindWorkspace(core, wanted.workspaceId);
      refuseKnown(core, workspace, wanted.name);
      const repo = await describeRepository(git, workspace.path, opts);
      await gitDesk.checkShareable(repo.gitDir);
      const base = wanted.settings.base ?? core.laneConfig.settingsOf(workspace.id).base;
      await checkBase(git, repo, base, opts);
      await core.laneConfig.check(workspace, base ?? repo.branch, opts);
      const path = worktreePath(workspace, wanted.name);
      const { branch = wanted.name, from = null } = wanted;
      return turnIn(repo.gitDir).run(opts, async () => {
        const added = await addWorktree(git, { repo, path, branch, from, laneAt, signal });
        const lane = toLane(wanted, { worktree: added.path, branch: added.branch, main: base ?? repo.branch });
        store.lanes.insertLane(lane);
        const view = toView(core, supervisor.add(lane), null);
        const notices = await noticesOf(git, added.gitDir, opts).catch(() => []);
        const adopted = added.adopted
          ? [`the worktree ${added.path} was there already: removing the lane keeps it`]
          : [];
        return { ...view, notices: [...adopted, ...notices] };
      });
    },
    plan: async (wanted, opts) => {
      const workspace = mustFindWorkspace(core, wanted.workspaceId);
      refuseKnown(core, workspace, wanted.name);
      const repo = await describeRepository(git, workspace.path, opts);
      await checkBase(git, repo, wanted.settings.base, opts);
      return planOfAdd(workspace, wanted);
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

/** @throws usage.invalid for a base that is no commit */
async function checkBase(
  git: HardenedGit,
  { gitDir }: Repository,
  base: string | null | undefined,
  { signal }: CallOptions,
): Promise<void> {
  if (base == null) return;
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${base}^{commit}`];
  const found = await git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1, 128] });
  if (found.exitCode === 0) return;
  throw new AppError({
    code: "usage.invalid",
    message: `there is no commit ${JSON.stringify(base.slice(0, 80))} to compare the lane with`,
    hint: "name a branch, tag or commit of the repository as --base",
  });
}

/** Beside the repository: `<repo>.lanes/<lane>`. */
function worktreePath(workspace: Workspace, name: string): string {
  return join(dirname(workspace.path), `${basename(workspace.path)}.lanes`, name);
}

function toLane(
  wanted: NewLane,
  made: { readonly worktree: string; readonly branch: string; readonly main: string | null },
): Lane {
  const settings = mergeSettings(DEFAULT_SETTINGS, wanted.settings);
  // Put on record now: the repository's main work tree may be on any branch later.
  const base = settings.base ?? (made.main === made.branch ? null : made.main);
  return {
    id: laneIdOf(wanted.workspaceId, wanted.name),
    name: wanted.name,
    workspaceId: wanted.workspaceId,
    branch: made.branch,
    worktree: made.worktree,
    desired: "up",
    settings: { ...settings, base },
    generation: 0,
    createdAtMs: Date.now(),
  };
}

/** Settings after a change; what it leaves out stays. */
export function mergeSettings(settings: LaneSettings, change: NewLane["settings"]): LaneSettings {
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
