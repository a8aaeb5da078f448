import { bringContents, changesBetween, shieldNew } from "./after-import.ts";
import { decideSync, needsAncestry } from "./decide-sync.ts";
import type { Change } from "./diff-parse.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { checkWhole, importBundle } from "./import-bundle.ts";
import { type LaneRefs, laneRef, readLaneRefs } from "./lane-refs.ts";
import { type HostWorktree, type IndexLook, lookAtIndex, refreshIndex, whyNotMovable } from "./refresh-index.ts";
import { openWorktree } from "./worktree-status.ts";

/** The lane's side of a sync. Everything it says is the lane's word. */
export interface LaneSide {
  /**
   * The branch's tip in the lane, and its commits that none of `have` has as a bundle of `refs/heads/<branch>`, in a
   * file of the host's. The bundle is null when there are none.
   */
  fetch(query: { readonly branch: string; readonly have: readonly string[] }): Promise<{
    readonly tip: string | null;
    readonly bundle: string | null;
  }>;
  /** Moves the lane's branch, and its index with it, from one commit to another; or says why not. */
  advance(move: { readonly branch: string; readonly from: string; readonly to: string }): Promise<string | null>;
}

/** Which lane. */
export interface SyncLane {
  readonly gitDir: string;
  readonly lane: string;
  readonly branch: string;
  readonly worktree: string;
  readonly maxBytes: number;
  /** The tip that the lane was made with; counts as agreed while nothing is on record. Null when not known. */
  readonly seedTip: string | null;
  /** On which lane and host were seen to agree, with nothing moved on the host since: saves a look at the refs. */
  readonly agreed?: string | null;
  readonly signal?: AbortSignal | undefined;
}

/** How a lane stands after a sync. */
export interface SyncOutcome {
  /** The branch's tips when all was done; null where there is no such branch. */
  readonly lane: string | null;
  readonly host: string | null;
  /** Commits that have come from the lane with this sync, newest first; of more than 10 000 not all. */
  readonly commits: readonly string[];
  /** Both have moved apart: nothing was moved. The lane's commits are in `refs/lanes/<lane>/head`. */
  readonly diverged: boolean;
  /** Why a side could not follow the other one now; it is tried again. */
  readonly held: string | null;
}

/**
 * Brings lane and host to the same tip: takes the lane's new commits over, then moves whichever branch has not moved
 * since both last agreed, by compare-and-swap, and its index with it. May be repeated after an interruption anywhere.
 * @throws git.refused, git.failed, lane.worktree_missing, and what the lane's side throws
 */
export async function syncLane(git: HardenedGit, wanted: SyncLane, side: LaneSide): Promise<SyncOutcome> {
  const { gitDir, lane, branch, signal } = wanted;
  const own = await openWorktree({ repo: { gitDir }, path: wanted.worktree, signal });
  const { agreed = null } = wanted;
  let refs: LaneRefs =
    agreed === null
      ? await readLaneRefs(git, { gitDir, lane, branch, signal })
      : { host: agreed, head: agreed, base: agreed, pending: null };
  let behind: string | null = null;
  if (refs.pending !== null) {
    const changed = tellChanges(git, own, refs.pending, "HEAD");
    behind = await settleIndex(git, wanted, own, { from: refs.pending, look: null, changed });
    if (behind === null) refs = { ...refs, pending: null };
  }
  const base = refs.base ?? wanted.seedTip;
  const have = [...new Set([refs.host, refs.head, base].filter((oid) => oid !== null))];
  const { tip, bundle } = await side.fetch({ branch, have });
  // While the objects are taken over: the time of a large index is not spent twice.
  const looking =
    tip === null || refs.host === null || tip === refs.host ? null : lookEarly(git, own, refs.host, signal);
  const commits = tip === null || have.includes(tip) ? [] : await takeOver(git, wanted, refs, { tip, bundle });
  const facts = { lane: tip, host: refs.host, base };
  const ancestry = needsAncestry(facts) ? await relate(git, wanted, facts.lane ?? "", facts.host ?? "") : null;
  const decision = decideSync({ ...facts, ancestry });
  const done = { lane: tip, host: refs.host, commits, diverged: false, held: behind };
  switch (decision.kind) {
    case "same":
      await record(git, wanted, refs, { head: tip, base: tip });
      return done;
    case "diverged":
      await record(git, wanted, refs, { head: tip, base });
      return { ...done, diverged: true };
    case "take": {
      const held = await whyNotMovable(own, branch, signal);
      if (held !== null) {
        await record(git, wanted, refs, { head: tip, base });
        return { ...done, held };
      }
      // Told while the refs are written.
      const changed = tellChanges(git, own, decision.from, decision.to);
      await record(git, wanted, refs, { head: tip, base: tip, branch: decision });
      const late = await settleIndex(git, wanted, own, { from: decision.from, look: await looking, changed });
      return { ...done, host: decision.to, held: late };
    }
    case "give": {
      const held = await side.advance({ branch, from: decision.from, to: decision.to });
      if (held !== null) return { ...done, held };
      await record(git, wanted, refs, { head: decision.to, base: decision.to });
      return { ...done, lane: decision.to };
    }
  }
}

/** Takes a tip that is new here over with its history, which may be here already; gives its new commits. */
async function takeOver(
  git: HardenedGit,
  { gitDir, lane, branch, maxBytes, signal }: SyncLane,
  refs: LaneRefs,
  { tip, bundle }: { readonly tip: string; readonly bundle: string | null },
): Promise<readonly string[]> {
  // What the lane was made with may have gone from the repository since.
  const have = [refs.host, refs.head, refs.base].filter((oid) => oid !== null);
  if (bundle === null) return checkWhole(git, { gitDir, tip, have, isSmall: false, signal });
  const ref = `refs/heads/${branch}`;
  return importBundle(git, { gitDir, lane, bundle, ref, tip, have, maxBytes, signal });
}

/** Moves all refs of one sync at once, each only from where it was seen. */
async function record(
  git: HardenedGit,
  wanted: SyncLane,
  refs: LaneRefs,
  to: {
    readonly head: string | null;
    readonly base: string | null;
    readonly branch?: { readonly from: string; readonly to: string };
  },
): Promise<void> {
  const { gitDir, lane, branch, signal } = wanted;
  const line = (ref: string, next: string, was: string | null) =>
    was === null ? `create ${ref} ${next}\n` : `update ${ref} ${next} ${was}\n`;
  const own = (["head", "base"] as const).flatMap((what) => {
    const next = to[what];
    return next === null || next === refs[what] ? [] : [line(laneRef(lane, what), next, refs[what])];
  });
  const moved = to.branch
    ? [
        line(`refs/heads/${branch}`, to.branch.to, to.branch.from),
        line(laneRef(lane, "pending"), to.branch.from, refs.pending),
      ]
    : [];
  const stdin = [...own, ...moved].join("");
  if (stdin === "") return;
  const args = ["update-ref", "--no-deref", "-m", `lane ${lane}: import`, "--stdin"];
  await git({ gitDir, cwd: gitDir, signal, args, stdin });
}

/** What the index is before the branch moves; null when that cannot be told, which is tried again when it counts. */
function lookEarly(
  git: HardenedGit,
  own: HostWorktree,
  commit: string,
  signal: AbortSignal | undefined,
): Promise<IndexLook | null> {
  return lookAtIndex(git, own, { commit, signal }).catch(() => null);
}

/** Fails for whoever waits for it, and for nobody else. */
function tellChanges(git: HardenedGit, own: HostWorktree, from: string, to: string): Promise<readonly Change[]> {
  const changed = changesBetween(git, { gitDir: own.gitDir, from, to });
  changed.catch(() => undefined);
  return changed;
}

/**
 * Has the index follow the branch, and what goes with it. Not cancelled: the branch has moved already.
 * @returns why it cannot now; the next sync tries again
 */
async function settleIndex(
  git: HardenedGit,
  wanted: SyncLane,
  own: HostWorktree,
  moved: { readonly from: string; readonly look: IndexLook | null; readonly changed: Promise<readonly Change[]> },
): Promise<string | null> {
  const { gitDir, lane, branch } = wanted;
  const { from, look, changed } = moved;
  const held = await whyNotMovable(own, branch, undefined);
  if (held !== null) return held;
  const brought = changed.then((changes) => bringContents(git, own, { gitDir, changes }));
  const [changes] = await Promise.all([changed, refreshIndex(git, own, { from, look }), brought]);
  await shieldNew(git, own, changes);
  await git({ gitDir, cwd: gitDir, args: ["update-ref", "--no-deref", "-d", laneRef(lane, "pending")] });
  return null;
}

async function relate(git: HardenedGit, wanted: SyncLane, lane: string, host: string) {
  const { gitDir, signal } = wanted;
  const args = ["rev-list", "--left-right", "--count", `${host}...${lane}`, "--"];
  const [hostOnly, laneOnly] = (await git({ gitDir, cwd: gitDir, signal, args })).stdout.split("\t").map(Number);
  if (hostOnly === 0) return "lane-is-ahead";
  return laneOnly === 0 ? "host-is-ahead" : "apart";
}
