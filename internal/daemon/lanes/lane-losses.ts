import { AppError, toAppError } from "../../base/index.ts";
import {
  countIgnored,
  countOnlyInLane,
  type HardenedGit,
  onlyInLane,
  type Repository,
  renderLosses,
  startOfWorktree,
  worktreeLosses,
} from "../../git/index.ts";
import type { CallOptions } from "../../hostapi/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { LaneGit } from "../../workerlink/index.ts";
import type { GitDesk } from "../git/git-desk.ts";

/** What goes with a lane. */
export interface LaneLosses {
  /** A line each, in the words of "would lose …"; empty: nothing. Names in it are the agent's, and quoted. */
  readonly lost: readonly string[];
  /** Ignored paths of the worktree. Nobody is kept from removing these. */
  readonly ignored: number;
  /** The worktree was there before the lane, and stays. */
  readonly keepsWorktree: boolean;
}

/** What the look at losses needs. */
export interface LossesDeps {
  readonly git: HardenedGit;
  readonly gitDesk: Pick<GitDesk, "linked" | "sync">;
  /** The git of a lane whose worker can be asked what else its git dir holds; null without such a worker. */
  readonly privateGit: (laneId: string) => LaneGit | null;
  /** Did its container ever run? */
  readonly everRan: (laneId: string) => boolean;
  readonly isStopped: (laneId: string) => boolean;
}

/** Tells what would be lost. */
export interface LossesDesk {
  /** @throws cancelled; what cannot be found out is named as a loss */
  of(lane: Lane, repo: Pick<Repository, "gitDir">, opts: CallOptions): Promise<LaneLosses>;
  /** Remembers, while the lane can still be asked, whether its git dir holds anything that the host has not. */
  noteBeforeStop(lane: Lane, repo: Pick<Repository, "gitDir">, opts: CallOptions): Promise<void>;
}

/** So many branches are named. */
const NAMES_SHOWN = 3;

/** Looks at worktree, imported commits and the lane's own git dir. */
export function createLossesDesk(deps: LossesDeps): LossesDesk {
  const { git, gitDesk } = deps;
  /** Stopped lanes in whose git dir there was nothing else. After a restart of the daemon nobody knows. */
  const clean = new Set<string>();

  const ofGitDir = async (lane: Lane, gitDir: string, opts: CallOptions): Promise<readonly string[]> => {
    const link = deps.privateGit(lane.id);
    if (link === null) throw unknown("its worker is of another build: lane recreate");
    const held = await link.look(opts);
    const others = held.branches.filter(({ name }) => name !== lane.branch);
    const { detached, stashes, more } = held;
    const tips = [...others.map(({ tip }) => tip), ...(detached === null ? [] : [detached])];
    const only = await onlyInLane(git, { gitDir, tips, signal: opts.signal });
    const branches = others.filter(({ tip }) => only.has(tip)).map(({ name }) => JSON.stringify(name));
    return [
      ...(stashes === 0 ? [] : [plural(stashes, "stash entry", "stash entries")]),
      ...(branches.length === 0
        ? []
        : [`${plural(branches.length, "branch", "branches")} only in the lane (${nameSome(branches)})`]),
      ...(detached !== null && only.has(detached) ? ["commits on no branch of the lane"] : []),
      ...(more ? ["more branches of the lane than were looked at"] : []),
    ];
  };
  const ofPrivate = async (lane: Lane, gitDir: string, opts: CallOptions): Promise<readonly string[]> => {
    if (!gitDesk.linked(lane)) {
      const isKnown = !deps.everRan(lane.id) || (deps.isStopped(lane.id) && clean.has(lane.id));
      return isKnown ? [] : ["what its git dir holds, which cannot be asked for while it does not run (lane start)"];
    }
    try {
      const { held } = await gitDesk.sync(lane, opts);
      if (held !== null) return [`commits that cannot be taken over now (${held})`];
      return await ofGitDir(lane, gitDir, opts);
    } catch (caught) {
      if (opts.signal?.aborted) throw caught;
      return [`what its git dir holds, which could not be asked for (${toAppError(caught).message})`];
    }
  };

  return {
    of: async (lane, repo, opts) => {
      const { gitDir } = repo;
      const at = { repo, path: lane.worktree, signal: opts.signal };
      const ofLane = await ofPrivate(lane, gitDir, opts);
      const count = await countOnlyInLane(git, { gitDir, lane: lane.name, signal: opts.signal });
      const commits = count === 0 ? [] : [`${plural(count, "commit", "commits")} that no branch has`];
      const keepsWorktree = (await startOfWorktree(repo, lane.worktree)) === null;
      if (keepsWorktree) return { lost: [...commits, ...ofLane], ignored: 0, keepsWorktree };
      const files = await worktreeLosses(git, at).catch(ignoreMissing);
      const ignored = await countIgnored(git, at).catch(ignoreMissing);
      const lost = [...(files === null ? [] : [renderLosses(files)]), ...commits, ...ofLane];
      return { lost, ignored: ignored ?? 0, keepsWorktree };
    },
    noteBeforeStop: async (lane, { gitDir }, opts) => {
      clean.delete(lane.id);
      const lost = await ofPrivate(lane, gitDir, opts).catch(() => null);
      if (lost?.length === 0 && gitDesk.linked(lane)) clean.add(lane.id);
    },
  };
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function nameSome(names: readonly string[]): string {
  const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : "";
  return `${names.slice(0, NAMES_SHOWN).join(", ")}${more}`;
}

function unknown(why: string): AppError {
  return new AppError({ code: "worker.refused", message: why });
}

function ignoreMissing(error: unknown): null {
  if (error instanceof AppError && error.code === "lane.worktree_missing") return null;
  throw error;
}
