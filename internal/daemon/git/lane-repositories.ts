import { join } from "node:path";
import { AppError, type Clock } from "../../base/index.ts";
import {
  type HardenedGit,
  hasOwnConfig,
  laneConfig,
  locateGitDir,
  type SeedFile,
  seedOfLane,
} from "../../git/index.ts";
import { IN_LANE, type Lane, type Workspace } from "../../lane/index.ts";

/** The repositories of the lanes, and what lanes are made with. */
export interface LaneRepositories {
  /** The repository's own git dir. @throws lane.worktree_missing */
  gitDirOf(lane: Lane): Promise<string>;
  /** The folder of the objects of a lane's repository; null when that is gone. */
  objectsOf(lane: Lane): Promise<string | null>;
  /** @throws workspace.invalid when lanes cannot share this repository's objects */
  checkShareable(gitDir: string): Promise<void>;
  /** What a lane's private git dir is made of. @throws lane.worktree_missing, workspace.invalid, git.failed */
  seedOf(lane: Lane): Promise<readonly SeedFile[]>;
  /** The tip in the last seed, until a sync has put it on record; null when there was none. */
  seedTipOf(laneId: string): string | null;
  forgetTip(laneId: string): void;
}

/** So long a configuration is good: it is asked for when a lane is added, and again a moment later at its start. */
const CONFIG_MS = 30_000;

/** Repositories as they are found now; keeps little in memory. */
export function createLaneRepositories(deps: {
  readonly git: HardenedGit;
  readonly findWorkspace: (id: string) => Workspace | null;
  readonly clock: Clock;
}): LaneRepositories {
  const { git, clock } = deps;
  const seedTips = new Map<string, string>();
  const configs = new Map<string, { readonly text: string; readonly atMs: number }>();
  const find = async (lane: Lane): Promise<string | null> => {
    const workspace = deps.findWorkspace(lane.workspaceId);
    return workspace === null ? null : locateGitDir(workspace.path);
  };
  const gitDirOf = async (lane: Lane): Promise<string> => {
    const gitDir = await find(lane);
    if (gitDir !== null) return gitDir;
    throw new AppError({
      code: "lane.worktree_missing",
      message: `lane ${lane.name}: the repository of its worktree ${lane.worktree} is gone`,
      hint: "bring it back, or remove the lane",
    });
  };
  const configOf = async (gitDir: string, worktree: string | null): Promise<string> => {
    if (worktree !== null) return laneConfig(git, { repo: { gitDir }, worktree });
    const known = configs.get(gitDir);
    if (known && clock.monotonicMs() - known.atMs < CONFIG_MS) return known.text;
    const text = await laneConfig(git, { repo: { gitDir } });
    configs.set(gitDir, { text, atMs: clock.monotonicMs() });
    return text;
  };
  return {
    gitDirOf,
    objectsOf: async (lane) => {
      const gitDir = await find(lane);
      return gitDir === null ? null : join(gitDir, "objects");
    },
    checkShareable: async (gitDir) => {
      configs.delete(gitDir);
      await configOf(gitDir, null);
    },
    seedOf: async (lane) => {
      const { name, branch, worktree } = lane;
      const repo = { gitDir: await gitDirOf(lane) };
      const config = await configOf(repo.gitDir, (await hasOwnConfig({ repo, worktree })) ? worktree : null);
      const objectsInLane = IN_LANE.objects;
      const seed = await seedOfLane({ repo, lane: name, branch, worktree, objectsInLane, config });
      seedTips.set(lane.id, seed.tip);
      return seed.files;
    },
    seedTipOf: (laneId) => seedTips.get(laneId) ?? null,
    forgetTip: (laneId) => void seedTips.delete(laneId),
  };
}
