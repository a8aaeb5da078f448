import { AppError, hasCode } from "../base/index.ts";
import type { Repository } from "./describe-repository.ts";
import type { Call } from "./git-at.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { findPulled, lfsPaths, recordPulled } from "./lfs-index.ts";
import { canonicalPath, findWorktreeGitDir } from "./worktree-list.ts";

/** How a work tree stands. */
export interface WorktreeStatus {
  /** Null when detached. */
  readonly branch: string | null;
  readonly commit: string;
  /** Tracked paths that differ from the commit, in index or work tree. */
  readonly changed: readonly string[];
  /** Untracked paths; a folder with nothing tracked in it counts once and ends in `/`. Ignored ones are left out. */
  readonly untracked: readonly string[];
  /** Number of changed and untracked paths. */
  readonly dirty: number;
  /** Commits of the work tree that the base lacks; 0 without a base. */
  readonly ahead: number;
  /** Commits of the base that the work tree lacks; 0 without a base. */
  readonly behind: number;
}

/** Which work tree. */
export interface WorktreeQuery {
  readonly repo: Pick<Repository, "gitDir">;
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks at a work tree without writing to it or to the repository, and without entering submodules. Of files of git-lfs
 * that have come into the work tree, the time is put on record in its index.
 * @param query.base any name of a commit; null to leave `ahead` and `behind` at 0, as is done for an unknown one
 * @throws lane.worktree_missing, git.failed, timeout
 */
export async function worktreeStatus(
  git: HardenedGit,
  query: WorktreeQuery & { readonly base: string | null },
): Promise<WorktreeStatus> {
  const { path, gitDir } = await openWorktree(query);
  const at = { gitDir, cwd: gitDir, signal: query.signal };
  const args = [
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--ignore-submodules=all",
    "--untracked-files=normal",
    "--no-renames",
    "--no-ahead-behind",
  ];
  const { stdout } = await git({ ...at, workTree: path, args });
  const status = withoutPulled(parseStatus(stdout), await pulledFiles(git, query, { path, gitDir }, stdout));
  return { ...status, ...(query.base === null ? { ahead: 0, behind: 0 } : await compare(git, at, query.base)) };
}

/** The canonical path and private git dir of a work tree that must be there. @throws lane.worktree_missing */
export async function openWorktree(query: WorktreeQuery): Promise<{ readonly path: string; readonly gitDir: string }> {
  const path = await canonicalPath(query.path);
  const gitDir = await findWorktreeGitDir(query.repo.gitDir, path);
  if (gitDir !== null) return { path, gitDir };
  throw new AppError({
    code: "lane.worktree_missing",
    message: `${path} is not a work tree of ${query.repo.gitDir}`,
    hint: "restore it with git worktree repair, or remove the lane",
  });
}

/** Parses `git status --porcelain=v2 --branch -z`, made without renames. */
export function parseStatus(output: string): Omit<WorktreeStatus, "ahead" | "behind"> {
  const changed: string[] = [];
  const untracked: string[] = [];
  let branch: string | null = null;
  let commit = "";
  for (const line of output.split("\0")) {
    if (line.startsWith("# branch.head ")) branch = line.slice(14) === "(detached)" ? null : line.slice(14);
    else if (line.startsWith("# branch.oid ")) commit = line.slice(13);
    else if (line.startsWith("? ")) untracked.push(line.slice(2));
    else if (line.startsWith("1 ")) changed.push(afterFields(line, 8));
    else if (line.startsWith("u ")) changed.push(afterFields(line, 10));
  }
  return { branch, commit, changed, untracked, dirty: changed.length + untracked.length };
}

/** Paths that differ from the index in nothing but that git-lfs has put the content where the pointer was. */
async function pulledFiles(
  git: HardenedGit,
  { signal }: WorktreeQuery,
  { path, gitDir }: { readonly path: string; readonly gitDir: string },
  output: string,
): Promise<ReadonlySet<string>> {
  const lines = output.split("\0").filter((line) => /^1 \.M .{4} (\d+) \1 \1 /.test(line));
  const paths = lines.map((line) => Buffer.from(afterFields(line, 8)).toString("latin1"));
  const run: Call = (args, more) => git({ gitDir, cwd: gitDir, signal, bytes: true, ...more, args });
  const pulled = await findPulled(run, path, await lfsPaths(run, paths), { signal });
  await recordPulled(run, path, pulled).catch((error: unknown) => {
    // The index is in use, for instance: another time.
    if (signal?.aborted || !(hasCode(error, "git.failed") || hasCode(error, "timeout"))) throw error;
  });
  return new Set(pulled.map((one) => Buffer.from(one.path, "latin1").toString("utf8")));
}

function withoutPulled(status: ReturnType<typeof parseStatus>, pulled: ReadonlySet<string>): typeof status {
  if (pulled.size === 0) return status;
  const changed = status.changed.filter((path) => !pulled.has(path));
  return { ...status, changed, dirty: changed.length + status.untracked.length };
}

function afterFields(line: string, fields: number): string {
  return line.split(" ").slice(fields).join(" ");
}

async function compare(
  git: HardenedGit,
  at: { readonly gitDir: string; readonly cwd: string; readonly signal: AbortSignal | undefined },
  base: string,
): Promise<{ readonly ahead: number; readonly behind: number }> {
  const known = await git({
    ...at,
    args: ["rev-parse", "--verify", "--quiet", "--end-of-options", `${base}^{commit}`],
    okExits: [0, 1, 128],
  });
  if (known.exitCode !== 0) return { ahead: 0, behind: 0 };
  const { stdout } = await git({
    ...at,
    args: ["rev-list", "--left-right", "--count", `${known.stdout}...HEAD`, "--"],
  });
  const [behind = 0, ahead = 0] = stdout.split("\t").map(Number);
  return { ahead, behind };
}
