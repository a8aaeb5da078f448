import { AppError, toAppError } from "../../base/index.ts";
import {
  countIgnored,
  countMissingLfs,
  countOnlyInLane,
  type HardenedGit,
  laneTip,
  onlyInLane,
  type Repository,
  renderLosses,
  startOfWorktree,
  worktreeLosses,
} from "../../git/index.ts";
import type { CallOptions } from "../../hostapi/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { LaneGit, LaneHoldings, SubmoduleHoldings } from "../../workerlink/index.ts";
import type { GitDesk } from "../git/git-desk.ts";

/** What goes with a lane. */
export interface LaneLosses {
  /** A line each, in the words of "would lose …"; empty: nothing. Names in it are the agent's, and quoted. */
  readonly lost: readonly string[];
  /** Ignored paths of the worktree. Nobody is kept from removing these. */
  readonly ignored: number;
  /** Submodules into which the lane has looked: they hold nothing else than `lost` says. */
  readonly lookedInto: ReadonlySet<string>;
  /** The worktree was there before the lane, and stays. */
  readonly keepsWorktree: boolean;
}

/** What was seen, and in which start of which container. Nothing of it may be left out: that would be lost unsaid. */
interface KeptLook {
  readonly run: string;
  readonly held: { readonly [K in keyof LaneHoldings]-?: Exclude<LaneHoldings[K], undefined> };
}

/** What the look at losses needs. */
export interface LossesDeps {
  readonly git: HardenedGit;
  readonly gitDesk: Pick<GitDesk, "linked" | "sync">;
  /** The git of a lane whose worker can be asked what else its git dir holds; null without such a worker. */
  readonly privateGit: (laneId: string) => LaneGit | null;
  /** Did its container ever run? */
  readonly everRan: (laneId: string) => boolean;
  /** Which start of which container it is in, or was in last; null when that is not known. */
  readonly runOf: (laneId: string) => { readonly id: string; readonly stopped: boolean } | null;
  /** What was seen of lanes before they were stopped, over restarts of the daemon. */
  readonly looks: { find(laneId: string): KeptLook | null; put(laneId: string, look: KeptLook): void };
  /** Now, to be asked of later: has a job of the lane gone on since? */
  readonly nowInFeed: () => (laneId: string) => boolean;
}

/** Tells what would be lost. */
export interface LossesDesk {
  /** @throws cancelled; what cannot be found out is named as a loss */
  of(lane: Lane, repo: Pick<Repository, "gitDir">, opts: CallOptions): Promise<LaneLosses>;
  /**
   * Looks, while the lane can still be asked, into its git dir. What it gives is to be called when the lane was stopped:
   * that keeps what was seen, unless the lane has gone on meanwhile. Never rejects.
   */
  lookBeforeStop(lane: Lane, opts: CallOptions): Promise<() => void>;
}

/** So many branches are named. */
const NAMES_SHOWN = 3;

/** Looks at worktree, imported commits and the lane's own git dir. */
export function createLossesDesk(deps: LossesDeps): LossesDesk {
  const { git, gitDesk, looks } = deps;

  /** What the lane's git dir holds, once its commits are taken over; or why they cannot be. */
  const look = async (lane: Lane, opts: CallOptions): Promise<LaneHoldings | string> => {
    const { held } = await gitDesk.sync(lane, opts);
    if (held !== null) return `commits that cannot be taken over now (${held})`;
    const link = deps.privateGit(lane.id);
    if (link === null) throw unknown("its worker is of another build: lane recreate");
    return link.look(opts);
  };
  const ofHoldings = async (lane: Lane, gitDir: string, held: LaneHoldings, opts: CallOptions): Promise<OfLane> => {
    const others = held.branches.filter(({ name }) => name !== lane.branch);
    const { detached, stashes, more, submodules = [] } = held;
    const tips = [...others.map(({ tip }) => tip), ...(detached === null ? [] : [detached])];
    const only = await onlyInLane(git, { gitDir, tips, signal: opts.signal });
    const branches = others.filter(({ tip }) => only.has(tip)).map(({ name }) => JSON.stringify(name));
    const lost = [
      ...(stashes === 0 ? [] : [plural(stashes, "stash entry", "stash entries")]),
      ...(branches.length === 0
        ? []
        : [`${plural(branches.length, "branch", "branches")} only in the lane (${nameSome(branches)})`]),
      ...(detached !== null && only.has(detached) ? ["commits on no branch of the lane"] : []),
      ...(more ? ["more branches of the lane than were looked at"] : []),
      ...submodules.flatMap(ofSubmodule),
    ];
    return { lost, lookedInto: new Set(submodules.map(({ path }) => path)) };
  };
  const ofSilent = async (lane: Lane, gitDir: string, opts: CallOptions): Promise<OfLane> => {
    if (!deps.everRan(lane.id)) return { lost: [], lookedInto: NOBODY };
    const run = deps.runOf(lane.id);
    const seen = run?.stopped ? looks.find(lane.id) : null;
    if (seen === null || seen.run !== run?.id)
      return unseen("what its git dir holds, which cannot be asked for while it does not run (lane start)");
    // The repository may have lost since what it had then. Folders of submodules are the host's to write, too.
    return { ...(await ofHoldings(lane, gitDir, seen.held, opts)), lookedInto: NOBODY };
  };
  const ofPrivate = async (lane: Lane, gitDir: string, opts: CallOptions): Promise<OfLane> => {
    if (!gitDesk.linked(lane)) return ofSilent(lane, gitDir, opts);
    try {
      const held = await look(lane, opts);
      return typeof held === "string" ? unseen(held) : await ofHoldings(lane, gitDir, held, opts);
    } catch (caught) {
      if (opts.signal?.aborted) throw caught;
      return unseen(`what its git dir holds, which could not be asked for (${toAppError(caught).message})`);
    }
  };

  return {
    of: async (lane, repo, opts) => {
      const { gitDir } = repo;
      const at = { repo, path: lane.worktree, signal: opts.signal };
      const { lost: ofLane, lookedInto } = await ofPrivate(lane, gitDir, opts);
      const count = await countOnlyInLane(git, { gitDir, lane: lane.name, signal: opts.signal });
      const commits = count === 0 ? [] : [`${plural(count, "commit", "commits")} that no branch has`];
      const start = await startOfWorktree(repo, lane.worktree);
      const contents = await lostContents(git, lane, { gitDir, start, signal: opts.signal });
      const keepsWorktree = start === null;
      if (keepsWorktree) return { lost: [...commits, ...contents, ...ofLane], ignored: 0, lookedInto, keepsWorktree };
      const files = await worktreeLosses(git, { ...at, lookedInto }).catch(ignoreMissing);
      const ignored = await countIgnored(git, at).catch(ignoreMissing);
      const lost = [...(files === null ? [] : [renderLosses(files)]), ...commits, ...contents, ...ofLane];
      return { lost, ignored: ignored ?? 0, lookedInto, keepsWorktree };
    },
    lookBeforeStop: async (lane, opts) => {
      const before = deps.runOf(lane.id);
      const hasWorked = deps.nowInFeed();
      const held = await look(lane, opts).catch(() => null);
      return () => {
        const run = deps.runOf(lane.id);
        if (held === null || typeof held === "string" || !run?.stopped || run.id !== before?.id) return;
        if (!hasWorked(lane.id))
          looks.put(lane.id, { run: run.id, held: { ...held, submodules: held.submodules ?? [] } });
      };
    },
  };
}

/** What the lane's own git dir holds. */
type OfLane = Pick<LaneLosses, "lost" | "lookedInto">;

const NOBODY: ReadonlySet<string> = new Set();

function unseen(what: string): OfLane {
  return { lost: [what], lookedInto: NOBODY };
}

/** Contents of git-lfs that only the lane's own git dir may hold. */
async function lostContents(
  git: HardenedGit,
  { name, branch }: Lane,
  at: { readonly gitDir: string; readonly start: string | null; readonly signal: AbortSignal | undefined },
): Promise<readonly string[]> {
  const tip = await laneTip({ gitDir: at.gitDir, lane: name, branch });
  const missing = tip === null ? 0 : await countMissingLfs(git, { ...at, tip, branch });
  if (missing === null) return ["contents of git-lfs, for which there are too many files to look through"];
  return missing === 0
    ? []
    : [`${plural(missing, "content", "contents")} of git-lfs that this host does not have (git lfs push in the lane)`];
}

function ofSubmodule({ path, commits, others }: SubmoduleHoldings): readonly string[] {
  const parts = [
    ...(commits === 0 ? [] : [`${plural(commits, "commit", "commits")} that no remote of it has`]),
    ...(others === 0
      ? []
      : [plural(others, "uncommitted change or stash entry", "uncommitted changes or stash entries")]),
  ];
  return parts.length === 0 ? [] : [`${parts.join(" and ")} in submodule ${JSON.stringify(path)}`];
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
