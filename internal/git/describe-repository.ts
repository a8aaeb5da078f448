import { lstat, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { AppError, hasCode } from "../base/index.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { locateGitDir } from "./locate-repository.ts";
import { canonicalPath, listWorktrees } from "./worktree-list.ts";

/** A repository on this machine. All paths canonical. */
export interface Repository {
  /** The main work tree; of a bare repository its git dir. */
  readonly path: string;
  /** The repository's own git dir, shared by all its work trees. */
  readonly gitDir: string;
  /** It has no main work tree. */
  readonly bare: boolean;
  /** The branch of HEAD, which is the main work tree's; null when detached. */
  readonly branch: string | null;
  /** The commit of HEAD. */
  readonly commit: string;
}

/**
 * Describes the repository that `path` (its main work tree, a folder below, one of its linked work trees, or the git dir
 * of a bare one) is in.
 * @throws workspace.invalid with the next step: no such folder, not a repository, another user's, no commit yet
 */
export async function describeRepository(
  git: HardenedGit,
  path: string,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<Repository> {
  const signal = opts.signal;
  const at = await existingFolder(path);
  const found: Found = (await looksBare(at)) ? await openNamedBare(at) : await discover(git, at, signal);
  const { gitDir } = found;
  const main = await mainWorktree(git, found, signal);
  if (main !== null && at !== main && !at.startsWith(`${main}/`) && found.linked === null) {
    throw invalid(
      `${at} is not inside the work tree ${main} that its repository names`,
      "unset core.worktree in its configuration",
    );
  }
  const shown = main ?? gitDir;
  const query = (args: readonly string[]) => git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1] });
  const head = await query(["symbolic-ref", "--quiet", "HEAD"]).catch((error) => {
    throw hasCode(error, "git.failed") ? cannotOpen(shown, error) : error;
  });
  const commit = await query(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
  if (commit.exitCode !== 0) {
    throw invalid(
      `the repository ${shown} has no commit${main === null && head.stdout !== "" ? ` on ${head.stdout}` : " yet"}`,
      main === null
        ? `push a first one to it, or choose its main branch: git -C ${shown} symbolic-ref HEAD refs/heads/<branch>`
        : `make a first one: git -C ${main} commit --allow-empty -m "first commit"`,
    );
  }
  const branch = head.exitCode === 0 ? head.stdout.replace(/^refs\/heads\//, "") : null;
  return { path: shown, gitDir, bare: main === null, branch, commit: commit.stdout };
}

interface Found {
  readonly gitDir: string;
  /** Null: it has no work tree of its own. */
  readonly top: string | null;
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
    if (inside !== null) return openNamedBare(inside);
    throw invalid(`${at} is not in a git repository`, `make it one: git -C ${at} init, then commit`, answer);
  }
  if (isAnotherUsers(marker.uid)) {
    const hint = `if you trust it: git config --global --add safe.directory ${marker.folder}`;
    throw ofAnotherUser(marker.folder, marker.uid, hint, answer);
  }
  // A `.git` file may name a bare repository, whose linked work trees are all there is.
  const args = ["rev-parse", "--path-format=absolute", "--is-bare-repository", "--git-common-dir"];
  const [isBare, common] = (await git({ cwd: at, signal, args, okExits: [0, 128] })).stdout.split("\n");
  if (isBare === "true" && common) return openBare(await canonicalPath(common));
  throw cannotOpen(marker.folder, answer);
}

/**
 * One inside a work tree is whatever somebody has put there, a lane for instance, and is not entered; unless it is what
 * the `.git` file there names.
 */
async function openNamedBare(gitDir: string): Promise<Found> {
  const around = await nearestMarker(dirname(gitDir));
  if (around === null || (await locateGitDir(around.folder)) === gitDir) return openBare(gitDir);
  throw invalid(
    `the bare repository ${gitDir} lies inside the work tree ${around.folder}`,
    "move it out of there, or clone it",
  );
}

/** Git finds no bare repository by itself when hardened, and so does not look whose it is. */
async function openBare(gitDir: string): Promise<Found> {
  const { uid } = await stat(gitDir);
  if (isAnotherUsers(uid)) throw ofAnotherUser(gitDir, uid, `clone it: git clone ${gitDir}`);
  return { gitDir, top: null, linked: null };
}

/** Root's git runs as a repository's owner. */
function isAnotherUsers(uid: number): boolean {
  const own = process.getuid?.();
  return own !== 0 && uid !== own;
}

function ofAnotherUser(folder: string, uid: number, hint: string, cause?: unknown): AppError {
  return invalid(`the repository at ${folder} belongs to another user (uid ${uid})`, hint, cause);
}

function cannotOpen(folder: string, cause: AppError): AppError {
  const said = String(cause.details.stderr)
    .replace(/^fatal: |\n$/g, "")
    .replace(/\s+/g, " ");
  if (/unknown repository extension|repo version/.test(said)) {
    return invalid(
      `the repository at ${folder} is of a kind that this machine's git does not know: ${said}`,
      "install a newer git, or clone it into a plain repository",
      cause,
    );
  }
  return invalid(
    `the repository at ${folder} cannot be opened: ${cause.message}`,
    `try: git -C ${folder} status`,
    cause,
  );
}

/** Null for a bare repository. */
async function mainWorktree(git: HardenedGit, found: Found, signal: AbortSignal | undefined): Promise<string | null> {
  if (found.linked === null) return found.top;
  const main = (await listWorktrees(git, { gitDir: found.gitDir, signal }))[0];
  return main === undefined || main.bare ? null : canonicalPath(main.path);
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

function invalid(message: string, hint: string, cause?: unknown): AppError {
  return new AppError({ code: "workspace.invalid", message, hint, ...(cause === undefined ? {} : { cause }) });
}
