import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { HardenedGit } from "./hardened-git.ts";

/** Where a lane stands in a repository, and who asks. */
export interface LaneRefsQuery {
  /** The repository's own git dir. */
  readonly gitDir: string;
  /** The lane's name: a valid part of a ref. */
  readonly lane: string;
  /** Short name. */
  readonly branch: string;
  readonly signal?: AbortSignal | undefined;
}

/** What a repository has on record of a lane. Null: no such ref. */
export interface LaneRefs {
  /** The branch's tip. */
  readonly host: string | null;
  /** The lane's tip as last imported. */
  readonly head: string | null;
  /** The tip on which host and lane last agreed. */
  readonly base: string | null;
  /** The commit that the work tree's index still shows: the branch has moved on, the index has yet to follow. */
  readonly pending: string | null;
}

/** The refs that only we write. They keep what lanes borrow from being pruned. */
export const laneRef = (lane: string, what: "head" | "base" | "pending"): string => `refs/lanes/${lane}/${what}`;

/** Reads the branch and the lane's own refs at one moment. */
export async function readLaneRefs(git: HardenedGit, query: LaneRefsQuery): Promise<LaneRefs> {
  const { gitDir, lane, branch, signal } = query;
  const branchRef = `refs/heads/${branch}`;
  const args = ["for-each-ref", "--format=%(objectname) %(refname)", "--", branchRef, `refs/lanes/${lane}/`];
  const { stdout } = await git({ gitDir, cwd: gitDir, signal, args });
  const refs = new Map(stdout.split("\n").map((line) => [line.slice(line.indexOf(" ") + 1), line.split(" ")[0]]));
  const find = (ref: string) => refs.get(ref) ?? null;
  return {
    host: find(branchRef),
    head: find(laneRef(lane, "head")),
    base: find(laneRef(lane, "base")),
    pending: find(laneRef(lane, "pending")),
  };
}

/** Removes the lane's own refs. What only they held may be pruned later. Absent is fine. */
export async function removeLaneRefs(git: HardenedGit, query: Omit<LaneRefsQuery, "branch">): Promise<void> {
  const { gitDir, lane, signal } = query;
  const stdin = (["head", "base", "pending"] as const).map((what) => `delete ${laneRef(lane, what)}\n`).join("");
  await git({ gitDir, cwd: gitDir, signal, args: ["update-ref", "--no-deref", "--stdin"], stdin });
}

/** Commits imported from the lane that no branch, tag or remote of the repository has. */
export async function countOnlyInLane(git: HardenedGit, query: Omit<LaneRefsQuery, "branch">): Promise<number> {
  const { gitDir, lane, signal } = query;
  const head = laneRef(lane, "head");
  const known = await git({
    gitDir,
    cwd: gitDir,
    signal,
    args: ["rev-parse", "--verify", "--quiet", head],
    okExits: [0, 1],
  });
  if (known.exitCode !== 0) return 0;
  const args = ["rev-list", "--count", known.stdout, "--not", "--branches", "--tags", "--remotes", "--"];
  return Number((await git({ gitDir, cwd: gitDir, signal, args })).stdout);
}

/** A text that changes whenever the branch does; made without git, for looks at lanes where nothing happens. */
export async function markOfBranch(gitDir: string, branch: string): Promise<string> {
  const marks = [join("refs", "heads", branch), "packed-refs"].map(async (path) => {
    const found = await lstat(join(gitDir, path), { bigint: true }).catch(() => null);
    return found === null ? "none" : `${found.ino}:${found.size}:${found.mtimeNs}`;
  });
  return (await Promise.all(marks)).join(" ");
}

/** Commits imported from the lane that its branch on the host lacks. */
export async function countUnimported(git: HardenedGit, query: LaneRefsQuery): Promise<number> {
  const { gitDir, signal } = query;
  const { host, head } = await readLaneRefs(git, query);
  if (head === null || head === host) return 0;
  const args = ["rev-list", "--count", head, ...(host === null ? [] : [`^${host}`]), "--"];
  return Number((await git({ gitDir, cwd: gitDir, signal, args })).stdout);
}
