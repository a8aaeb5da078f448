import { copyFile, link, lstat, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { AppError, errnoOf } from "../base/index.ts";
import { type CopiedFiles, type CopyLimits, copyFiles } from "./diff-copy.ts";
import { addUnpatched, type DiffFile, judgeChanges, toFile } from "./diff-judge.ts";
import { type Change, cutPatch, parseChanges } from "./diff-parse.ts";
import { makeScratch, type Scratch } from "./diff-scratch.ts";
import { filtersOff, LIST_CONFIG } from "./filters.ts";
import type { Call } from "./git-at.ts";
import type { Config, GitCall, HardenedGit } from "./hardened-git.ts";
import { findPulled, lfsPaths } from "./lfs-index.ts";
import { knownSubmoduleCommits } from "./submodules.ts";
import { openWorktree } from "./worktree-status.ts";

/** What is to be compared. */
export interface LaneDiffQuery {
  /** The repository's own git dir. */
  readonly gitDir: string;
  readonly worktree: string;
  /** Any name of a commit. */
  readonly base: string;
  /** The lane's last commit, which may still be on its way. */
  readonly head: Promise<string>;
  /** Folder of ours for what is made on the way, see {@link makeScratch}. */
  readonly scratch: string;
  /** Only this file, or what is below this folder. */
  readonly path?: string | undefined;
  /** `none`; `text`: binary files are only named; `whole`: such that `git apply` takes them as well. */
  readonly patch: "none" | "text" | "whole";
  readonly limits?: Partial<DiffLimits> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bounds of a comparison. */
export interface DiffLimits extends CopyLimits {
  /** Of the patch, in characters. */
  readonly patchChars: number;
  readonly listed: number;
}

/** What a lane has changed since it left its base. */
export interface LaneDiff {
  /** The commit at which it left it. */
  readonly base: string;
  readonly head: string;
  readonly files: readonly DiffFile[];
  readonly additions: number;
  readonly deletions: number;
  readonly patch: string | null;
  readonly truncated: boolean;
}

const MB = 1024 * 1024;
const LIMITS: DiffLimits = { fileBytes: 5 * MB, totalBytes: 128 * MB, files: 5000, patchChars: 4 * MB, listed: 5000 };
/** Committed files above this are not compared line by line. */
const BIG = "5m";
/** Moved files are looked for among so many at most. */
const RENAMES_MAX = 400;
const DIFF_TIMEOUT_MS = 60_000;

const CONFIG: Config = [
  ["core.bigFileThreshold", BIG],
  ["core.quotePath", "false"],
  // New objects live for a moment.
  ["core.compression", "0"],
  // Would put a part of the index into the git dir.
  ["core.splitIndex", "false"],
  // Names that are only bad on other systems can be shown here.
  ["core.protectNTFS", "false"],
  ["core.protectHFS", "false"],
];

/**
 * Compares a lane's work tree, uncommitted and untracked files included, with the commit at which it left its base. The
 * work tree is the lane's to write, also now: git is shown a copy of what differs from the index, made without following
 * a link; nothing is written to the repository, and no filter, converter or external program is run.
 * @throws usage.invalid (no such base), lane.worktree_missing, git.failed, timeout
 */
export async function diffLane(git: HardenedGit, query: LaneDiffQuery): Promise<LaneDiff> {
  const { signal } = query;
  const limits = { ...LIMITS, ...query.limits };
  const own = await openWorktree({ repo: { gitDir: query.gitDir }, path: query.worktree, signal });
  await using scratch = await makeScratch(query.gitDir, query.scratch);
  await copyIndex(own.gitDir, scratch);
  const inLane: Call = (args, more) =>
    git({
      gitDir: own.gitDir,
      cwd: own.gitDir,
      indexFile: scratch.index,
      quarantine: scratch.quarantine,
      signal,
      bytes: true,
      timeoutMs: DIFF_TIMEOUT_MS,
      ...more,
      config: CONFIG,
      args,
    }).then(({ stdout, cut }) => ({ stdout, cut }));
  const [{ head, base }, { beside, untracked }] = await Promise.all([
    findBase(git, query),
    indexWorktree(inLane, own.path, scratch, limits, signal),
  ]);
  const only = query.path === undefined ? [] : [`:(top,literal)${query.path}`];
  const list = ["--cached", "--no-abbrev", "-M", `-l${RENAMES_MAX}`, "--ignore-submodules=none"];
  const shape = ["-p", "--submodule=short", "--full-index", "--src-prefix=a/", "--dst-prefix=b/"];
  const binary = query.patch === "whole" ? ["--binary"] : [];
  const [changes, uncommitted, patch] = await Promise.all([
    inLane(["diff-index", ...list, "--raw", "--numstat", "-z", base, "--", ...only]).then(({ stdout }) =>
      parseChanges(stdout),
    ),
    inLane(["diff-index", "--cached", "--name-only", "-z", "--ignore-submodules=none", head, "--", ...only]),
    query.patch === "none"
      ? null
      : inLane(["diff-index", ...list, ...shape, ...binary, base, "--", ...only], {
          bytes: undefined,
          cutAt: limits.patchChars,
        }),
  ]);
  const isAsked = (path: string) => isWithin(path, query.path);
  const hidden = {
    special: beside.special.filter(isAsked),
    nested: beside.nested.filter(isAsked),
    skipped: beside.skipped.filter(isAsked),
  };
  const shown = addUnpatched(changes, hidden, (path) => untracked.has(path));
  const judged = await judgeChanges(inLane, shown.slice(0, limits.listed), (commits) =>
    knownSubmoduleCommits(git, { gitDir: query.gitDir, commits, signal }),
  );
  const open = new Set([...uncommitted.stdout.split("\0"), ...Object.values(hidden).flat()]);
  const sum = (of: (change: Change) => number | null) =>
    changes.reduce((total, change) => total + (of(change) ?? 0), 0);
  return {
    base,
    head,
    files: judged.map((change) => toFile(change, open.has(change.path))),
    additions: sum(({ additions }) => additions),
    deletions: sum(({ deletions }) => deletions),
    patch: patch === null ? null : patch.cut ? cutPatch(patch.stdout, limits.patchChars) : withLineEnd(patch.stdout),
    truncated: patch?.cut === true || shown.length > limits.listed || hidden.skipped.length > 0,
  };
}

/** Is it the path that was asked for, or below it? `path` is bytes. */
function isWithin(path: string, asked: string | undefined): boolean {
  if (asked === undefined) return true;
  const bytes = Buffer.from(asked, "utf8").toString("latin1").replace(/\/+$/, "");
  return path === bytes || path.startsWith(`${bytes}/`);
}

/** The wrapper takes the last one off, and `git apply` wants it. */
function withLineEnd(patch: string): string {
  return patch === "" ? "" : `${patch}\n`;
}

/** What is in the work tree and cannot be in an index, or is too large for it. */
interface Beside extends Pick<CopiedFiles, "special" | "skipped"> {
  /** Folders that are repositories of their own, and what git never takes. */
  readonly nested: readonly string[];
}

/**
 * Git never writes into an index, it puts a new one in its place: a second name stays what it is, and costs nothing.
 * On another disk, or where somebody has a link there (which git would write through), it is copied with its time, by
 * which git tells which files it has to read once more; a little earlier, since it is cut to µs.
 */
async function copyIndex(gitDir: string, scratch: Scratch): Promise<void> {
  const from = join(gitDir, "index");
  const { mtimeMs } = await stat(from);
  if ((await lstat(from)).isFile() && (await isLinked(from, scratch.index))) return;
  await copyFile(from, scratch.index);
  await utimes(scratch.index, (mtimeMs - 1) / 1000, (mtimeMs - 1) / 1000);
}

async function isLinked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (caught) {
    if (errnoOf(caught) !== "EXDEV" && errnoOf(caught) !== "EPERM") throw caught;
    return false;
  }
}

async function findBase(
  git: HardenedGit,
  query: LaneDiffQuery,
): Promise<{ readonly head: string; readonly base: string }> {
  const at = { gitDir: query.gitDir, cwd: query.gitDir, signal: query.signal };
  const head = await query.head;
  const named = `${query.base}^{commit}`;
  const common = await git({ ...at, args: ["merge-base", "--", named, head], okExits: [0, 1, 128] });
  // Of several the first.
  const [base] = common.stdout.split("\n");
  if (common.exitCode === 0 && base) return { head, base };
  // Without a common one the lane is compared with the base itself.
  const verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", named];
  const found = await git({ ...at, args: verify, okExits: [0, 1, 128] });
  if (found.exitCode === 0) return { head, base: found.stdout };
  throw new AppError({
    code: "usage.invalid",
    message: `there is no commit ${JSON.stringify(query.base.slice(0, 80))} to compare with`,
    hint: "name another one with --base, or set it: lane set <lane> base=REF",
  });
}

/**
 * Brings the scratch index up to what is in the work tree. `inLane` works on that index. Of files of git-lfs it gets the
 * pointers, as git-lfs would make them.
 */
async function indexWorktree(
  inLane: Call,
  worktree: string,
  scratch: Scratch,
  limits: CopyLimits,
  signal: AbortSignal | undefined,
): Promise<{ readonly beside: Beside; readonly untracked: ReadonlySet<string> }> {
  const names = async (args: readonly string[], filters: Config) =>
    (await inLane([...args, "-z"], { workTree: worktree, filters })).stdout.split("\0").filter((name) => name !== "");
  const filters = inLane(LIST_CONFIG, { bytes: undefined }).then(({ stdout }) => filtersOff(stdout));
  const [found, untracked] = await Promise.all([
    filters.then((off) => names(["diff-files", "--name-only", "--ignore-submodules=all"], off)),
    // Reads no file but those that say what is ignored.
    names(["ls-files", "--others", "--exclude-standard"], []),
  ]);
  const isNested = (path: string) => path.endsWith("/") || /(^|\/)\.git(\/|$)/i.test(path);
  const lfs = new Set(await lfsPaths(inLane, [...found, ...untracked]));
  const ofLfs = found.filter((path) => lfs.has(path));
  const pulled = new Set((await findPulled(inLane, worktree, ofLfs, { signal })).map(({ path }) => path));
  const changed = found.filter((path) => !pulled.has(path));
  const all = [...new Set([...changed, ...untracked])].sort();
  const copied = await copyFiles(
    worktree,
    scratch.tree,
    all.filter((path) => !isNested(path)),
    { limits, signal, isLfs: (path) => lfs.has(path) },
  );
  const update = async (paths: readonly string[], how: readonly string[], more: Partial<GitCall>) => {
    const stdin = Buffer.from(paths.map((path) => `${path}\0`).join(""), "latin1");
    if (paths.length > 0) await inLane(["update-index", "-z", ...how, "--stdin"], { ...more, stdin });
  };
  // What is gone first, and by name only: something else may stand in its place.
  await update([...copied.gone, ...copied.special], ["--force-remove"], {});
  const at = { workTree: scratch.tree, cwd: scratch.tree, filters: await filters };
  await update(copied.copied, ["--add", "--replace"], at);
  const { special, skipped } = copied;
  return { beside: { special, skipped, nested: all.filter(isNested) }, untracked: new Set(untracked) };
}
