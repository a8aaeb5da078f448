import { lstat, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { AppError, hasCode } from "../base/index.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { canonicalPath, listWorktrees } from "./worktree-list.ts";

/** A repository on this machine. All paths canonical. */
export interface Repository {
  /** The main work tree. */
  readonly path: string;
  /** The repository's own git dir, shared by all its work trees. */
  readonly gitDir: string;
  /** The main work tree's branch; null when detached. */
  readonly branch: string | null;
  /** The main work tree's commit. */
  readonly commit: string;
}

/**
 * Describes the repository that `path` (its main work tree, a folder below, or one of its linked work trees) is in.
 * @throws workspace.invalid with the next step: no such folder, not a repository, bare, another user's, no commit yet
 */
export async function describeRepository(
  git: HardenedGit,
  path: string,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<Repository> {
  const signal = opts.signal;
  const at = await existingFolder(path);
  if (await looksBare(at)) throw bare(at);
  const found = await discover(git, at, signal);
  const { gitDir } = found;
  const main = await mainWorktree(git, found, signal);
  if (at !== main && !at.startsWith(`${main}/`) && found.linked === null) {
    throw invalid(
      `${at} is not inside the work tree ${main} that its repository names`,
      "unset core.worktree in its configuration",
    );
  }
  const query = (args: readonly string[]) => git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1] });
  const head = await query(["symbolic-ref", "--quiet", "HEAD"]);
  const commit = await query(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
  if (commit.exitCode !== 0) {
    throw invalid(
      `the repository ${main} has no commit yet`,
      `make a first one: git -C ${main} commit --allow-empty -m "first commit"`,
    );
  }
  const branch = head.exitCode === 0 ? head.stdout.replace(/^refs\/heads\//, "") : null;
  return { path: main, gitDir, branch, commit: commit.stdout };
}

interface Found {
  readonly gitDir: string;
  readonly top: string;
  /** The private git dir when `path` was in a linked work tree. */
  readonly linked: string | null;
}

async function discover(git: HardenedGit, at: string, signal: AbortSignal | undefined): Promise<Found> {
  const answer = await git({
    cwd: at,
    signal,
    args: ["rev-parse", "--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir"],
  }).catch((error: unknown) => error);
  if (!(answer instanceof Error)) {
    const [top, own, common, ...rest] = (answer as { readonly stdout: string }).stdout.split("\n");
    if (top && own && common && rest.length === 0) {
      const gitDir = await canonicalPath(common);
      const ownDir = await canonicalPath(own);
      return { gitDir, top: await canonicalPath(top), linked: ownDir === gitDir ? null : ownDir };
    }
    throw invalid(`cannot make out the repository at ${at}`, "use a path without line breaks");
  }
  if (!hasCode(answer, "git.failed")) throw answer;
  const marker = await nearestMarker(at);
  if (marker === null) {
    const inside = await nearestBare(at);
    if (inside !== null) throw bare(inside);
    throw invalid(`${at} is not in a git repository`, `make it one: git -C ${at} init, then commit`, answer);
  }
  if (marker.uid !== process.getuid?.()) {
    throw invalid(
      `the repository at ${marker.folder} belongs to another user (uid ${marker.uid})`,
      `if you trust it: git config --global --add safe.directory ${marker.folder}`,
      answer,
    );
  }
  throw invalid(
    `the repository at ${marker.folder} cannot be opened: ${answer.message}`,
    `try: git -C ${at} status`,
    answer,
  );
}

async function mainWorktree(git: HardenedGit, found: Found, signal: AbortSignal | undefined): Promise<string> {
  if (found.linked === null) return found.top;
  const main = (await listWorktrees(git, { gitDir: found.gitDir, signal }))[0];
  if (main === undefined || main.bare) throw bare(found.gitDir);
  return canonicalPath(main.path);
}

async function existingFolder(path: string): Promise<string> {
  if (!isAbsolute(path) || path.includes("\0")) {
    throw invalid(`not an absolute path: ${JSON.stringify(path)}`, "give the repository's absolute path");
  }
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) return canonicalPath(path);
  throw invalid(
    found === null ? `there is no folder ${path}` : `${path} is not a folder`,
    "check the path of the repository",
  );
}

/** The nearest folder upwards with a `.git`, and whose it is. */
async function nearestMarker(at: string): Promise<{ readonly folder: string; readonly uid: number } | null> {
  const marker = await lstat(join(at, ".git")).catch(() => null);
  if (marker !== null) {
    const folder = await stat(at);
    return { folder: at, uid: folder.uid === process.getuid?.() ? marker.uid : folder.uid };
  }
  return dirname(at) === at ? null : nearestMarker(dirname(at));
}

async function nearestBare(at: string): Promise<string | null> {
  if (await looksBare(at)) return at;
  return dirname(at) === at ? null : nearestBare(dirname(at));
}

/** Does this folder hold what a git dir holds? A work tree's own `.git` does not count. */
async function looksBare(at: string): Promise<boolean> {
  if (at.endsWith("/.git")) return false;
  const names = [".git", "HEAD", "objects", "refs"];
  const [own, head, objects, refs] = await Promise.all(names.map((name) => stat(join(at, name)).catch(() => null)));
  return !own && head?.isFile() === true && objects?.isDirectory() === true && refs?.isDirectory() === true;
}

function bare(path: string): AppError {
  return invalid(`${path} is a bare repository, which is not supported yet`, "clone it (git clone), and add the clone");
}

function invalid(message: string, hint: string, cause?: unknown): AppError {
  return new AppError({ code: "workspace.invalid", message, hint, ...(cause === undefined ? {} : { cause }) });
}
