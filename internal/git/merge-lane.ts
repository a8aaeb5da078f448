import { AppError, hasCode } from "../base/index.ts";
import { type DiffFile, judgeChanges, toFile } from "./diff-judge.ts";
import { parseChanges } from "./diff-parse.ts";
import { makeScratch } from "./diff-scratch.ts";
import { filtersOff, LIST_CONFIG } from "./filters.ts";
import type { Config, HardenedGit } from "./hardened-git.ts";
import { drivenFiles, driversOff, mergeMessage, squashMessage } from "./merge-parts.ts";
import { findTarget, type MergeInto, type MergeTarget, moveTarget, refuseLanes } from "./merge-target.ts";
import { knownSubmoduleCommits } from "./submodules.ts";

/** How a lane's commits come into a branch. `auto`: by moving the branch where that is enough. */
export type MergeStrategy = "auto" | "ff" | "merge" | "squash";

/** What is to be merged. */
export interface MergeLane extends MergeInto {
  /** The lane's last commit. */
  readonly head: string;
  readonly strategy: MergeStrategy;
  /** Of the new commit, where there is one. */
  readonly message?: string | undefined;
  /** Merge although files are flagged. */
  readonly allowFlagged: boolean;
  /** Find out what would be done; nothing is changed, and flagged files are no refusal. */
  readonly dryRun: boolean;
}

/** What was merged, or would be. */
export interface LaneMerge {
  /** `none`: the branch had all of it. */
  readonly strategy: "none" | "ff" | "merge" | "squash";
  readonly before: string;
  readonly after: string;
  /** How many commits of the lane the branch lacked. */
  readonly commits: number;
  readonly flagged: readonly DiffFile[];
}

/** A move that came in between is followed so often. */
const TRIES = 2;
/** Names in a message; all of them are in the details. */
const NAMES_SHOWN = 5;
/** A merge of large trees. */
const MERGE_TIMEOUT_MS = 2 * 60_000;

/**
 * Merges a lane's commits into a branch without touching a work tree, then moves the branch by compare-and-swap. Where a
 * person has that branch checked out, their work tree is brought along first, as git itself does: only when nothing of
 * theirs is in the way. Hooks, filters and merge drivers stay off. May be repeated after an interruption anywhere.
 * @throws git.conflict (files named; nothing was changed), git.flagged, usage.invalid, git.failed, timeout
 */
export async function mergeLane(git: HardenedGit, wanted: MergeLane): Promise<LaneMerge> {
  for (let tried = 1; ; tried++) {
    try {
      return await mergeOnce(git, wanted);
    } catch (error) {
      if (!hasCode(error, "git.conflict") || error.retry !== "retryable" || tried >= TRIES) throw error;
    }
  }
}

async function mergeOnce(git: HardenedGit, wanted: MergeLane): Promise<LaneMerge> {
  const { gitDir, head, signal } = wanted;
  const target = await findTarget(git, wanted);
  const before = target.commit;
  const count = ["rev-list", "--left-right", "--count", `${before}...${head}`, "--"];
  const { stdout } = await git({ gitDir, cwd: gitDir, signal, args: count });
  const [own = 0, commits = 0] = stdout.split("\t").map(Number);
  if (commits === 0) return { strategy: "none", before, after: before, commits, flagged: [] };
  refuseLanes(wanted, target);
  const strategy = chooseStrategy(wanted, own);
  const merged = await mergeTrees(git, wanted, target, strategy);
  if (!wanted.dryRun && !wanted.allowFlagged && merged.flagged.length > 0) throw flaggedError(wanted, merged.flagged);
  if (wanted.dryRun) return { strategy, before, after: before, commits, flagged: merged.flagged };
  const after = strategy === "ff" ? head : await makeCommit(git, wanted, { before, tree: merged.tree, strategy });
  await moveTarget(git, wanted, target, after);
  return { strategy, before, after, commits, flagged: merged.flagged };
}

function chooseStrategy(wanted: MergeLane, ownCommits: number): "ff" | "merge" | "squash" {
  if (wanted.strategy === "auto") return ownCommits === 0 ? "ff" : "merge";
  if (wanted.strategy === "ff" && ownCommits > 0) {
    throw new AppError({
      code: "git.conflict",
      message: `lane ${wanted.lane}: branch ${wanted.into} has ${ownCommits === 1 ? "1 commit" : `${ownCommits} commits`} that the lane lacks, so it cannot just be moved`,
      hint: "merge with --merge or --squash, or rebase the lane first",
    });
  }
  return wanted.strategy;
}

/**
 * The tree of the merge, and what of it is flagged against the branch as it is. Made on probation, so that a conflict
 * leaves nothing; made once more in the repository when it is to stay.
 */
async function mergeTrees(
  git: HardenedGit,
  wanted: MergeLane,
  target: MergeTarget,
  strategy: "ff" | "merge" | "squash",
): Promise<{ readonly tree: string; readonly flagged: readonly DiffFile[] }> {
  const { gitDir, head, signal } = wanted;
  await using scratch = await makeScratch(gitDir, wanted.scratch);
  const at = { gitDir, cwd: gitDir, signal, timeoutMs: MERGE_TIMEOUT_MS, indexFile: scratch.index };
  const onProbation = { ...at, quarantine: scratch.quarantine };
  // For the branch's attributes.
  await git({ ...onProbation, args: ["read-tree", target.commit] });
  let tree = `${head}^{tree}`;
  if (strategy !== "ff") {
    const listed = await git({ gitDir, cwd: gitDir, signal, args: LIST_CONFIG });
    const config: Config = [...filtersOff(listed.stdout), ...driversOff(listed.stdout), ["merge.renormalize", "false"]];
    const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", target.commit, head];
    const merged = await git({ ...onProbation, config, args, okExits: [0, 1] });
    const [made = "", ...files] = merged.stdout.split("\0").filter((part) => part !== "");
    if (merged.exitCode === 1) throw conflictError(wanted, [...new Set(files)]);
    const driven = await drivenFiles((args, more) => git({ ...onProbation, ...more, args }), target.commit, head);
    if (driven.length > 0) throw conflictError(wanted, driven);
    if (!wanted.dryRun) await git({ ...at, config, args });
    tree = made;
  }
  const list = ["diff-tree", "-r", "--raw", "--numstat", "-z", "--no-abbrev", "--ignore-submodules=none"];
  const { stdout } = await git({ ...onProbation, bytes: true, args: [...list, target.commit, tree] });
  const judged = await judgeChanges(
    (args, more) => git({ ...onProbation, bytes: true, ...more, args }),
    parseChanges(stdout),
    (commits) => knownSubmoduleCommits(git, { gitDir, commits, signal }),
  );
  const flagged = judged.filter(({ flags }) => flags.length > 0).map((change) => toFile(change, false));
  return { tree, flagged };
}

/** With the developer's name: only their configuration and the repository's is read, which no lane can write. */
async function makeCommit(
  git: HardenedGit,
  wanted: MergeLane,
  made: { readonly before: string; readonly tree: string; readonly strategy: "merge" | "squash" },
): Promise<string> {
  const { gitDir, head, signal } = wanted;
  const parents = made.strategy === "merge" ? [made.before, head] : [made.before];
  const message =
    wanted.message ??
    (made.strategy === "merge" ? mergeMessage(wanted) : await squashMessage(git, { ...wanted, before: made.before }));
  const args = ["commit-tree", made.tree, ...parents.flatMap((parent) => ["-p", parent]), "-F", "-"];
  try {
    return (await git({ gitDir, cwd: gitDir, signal, args, stdin: `${message.trimEnd()}\n` })).stdout;
  } catch (error) {
    if (!hasCode(error, "git.failed") || !/tell me who you are|empty ident/i.test(String(error.details.stderr)))
      throw error;
    throw new AppError({
      code: "git.failed",
      message: `lane ${wanted.lane}: git does not know in whose name to commit`,
      hint: 'git config --global user.name "Your Name"; git config --global user.email you@example.com',
      cause: error,
    });
  }
}

function conflictError(wanted: MergeLane, files: readonly string[]): AppError {
  const shown = files.slice(0, NAMES_SHOWN).map((file) => JSON.stringify(file));
  const more = files.length > NAMES_SHOWN ? `, and ${files.length - NAMES_SHOWN} more` : "";
  return new AppError({
    code: "git.conflict",
    message: `lane ${wanted.lane} and branch ${wanted.into} have changed the same places of ${shown.join(", ")}${more}; nothing was changed`,
    hint: `merge ${wanted.into} in the lane and settle it there: lane run ${wanted.lane} -- git merge ${wanted.into}`,
    details: { files },
  });
}

function flaggedError(wanted: MergeLane, flagged: readonly DiffFile[]): AppError {
  const names = flagged.map(({ path, flags }) => `${path}: ${flags.map(({ message }) => message).join("; ")}`);
  return new AppError({
    code: "git.flagged",
    message: `lane ${wanted.lane} brings ${names.length === 1 ? "a file" : `${names.length} files`} that programs of this host would execute or obey; nothing was changed`,
    hint: `look at them with lane diff ${wanted.lane}, then repeat with --allow-flagged`,
    details: { flagged: names },
  });
}
