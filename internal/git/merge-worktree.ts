import { lstat } from "node:fs/promises";
import { AppError, hasCode } from "../base/index.ts";
import { parseChanges } from "./diff-parse.ts";
import { makeScratch } from "./diff-scratch.ts";
import { filtersOff, LIST_CONFIG } from "./filters.ts";
import type { GitCall, HardenedGit } from "./hardened-git.ts";
import { type HostWorktree, whyNotMovable } from "./refresh-index.ts";
import { parseStatus } from "./worktree-status.ts";

/** A checkout may be large. */
const CHECKOUT_TIMEOUT_MS = 5 * 60_000;
const NAMES_SHOWN = 5;
/** Its configuration is often the system's, which hardened calls do not read. */
const ALWAYS_A_FILTER = "lfs";

/** For what a work tree is updated. */
export interface WorktreeUpdate {
  /** The repository's own git dir. */
  readonly gitDir: string;
  /** The lane's name, for messages. */
  readonly lane: string;
  /** Short name of the branch. */
  readonly into: string;
  /** Folder of ours for what is made on the way. */
  readonly scratch: string;
  readonly signal?: AbortSignal | undefined;
}

/** Paths are bytes, one in each character. */
type Run = (args: readonly string[], more?: Partial<GitCall>) => Promise<string>;

/**
 * Brings the work tree and the index of a developer from one commit to another, as `git merge --ff-only` does, or refuses
 * before anything of it is written. What else they have changed or staged stays. Files that are at `after` already, as
 * after a merge that was killed, are taken as they are.
 * @throws git.conflict with the files that are in the way, or what else is
 */
export async function updateWorktree(
  git: HardenedGit,
  wanted: WorktreeUpdate,
  worktree: HostWorktree,
  { before, after }: { readonly before: string; readonly after: string },
): Promise<void> {
  const { signal } = wanted;
  const held = await whyNotMovable(worktree, wanted.into, signal);
  if (held !== null) throw inTheWay(wanted, worktree, held, []);
  const at = {
    gitDir: worktree.gitDir,
    cwd: worktree.gitDir,
    signal,
    bytes: true,
    timeoutMs: CHECKOUT_TIMEOUT_MS,
  } as const;
  const run: Run = async (args, more) => (await git({ ...at, ...more, args })).stdout;
  await using scratch = await makeScratch(wanted.gitDir, wanted.scratch);
  const list = ["diff-tree", "-r", "--raw", "--no-renames", "-z", "--no-abbrev", "--ignore-submodules=none"];
  const touched = parseChanges(await run([...list, before, after]));
  const filtered = await filteredPaths(
    run,
    scratch.index,
    after,
    touched.map(({ path }) => path),
  );
  if (filtered.length > 0) throw inTheWay(wanted, worktree, "a filter makes these files, as git-lfs does", filtered);

  const status = ["status", "--porcelain=v2", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules=all"];
  const dirty = new Set(parseStatus(await run(status, { workTree: worktree.path })).changed);
  const goes = new Set(touched.filter(({ status: kind }) => kind === "deleted").map(({ path }) => path));
  const suspects: string[] = [];
  for (const { path, status: kind } of touched) {
    // What a folder has that stands in a file's place is git's to look at; below a file or link that goes there is nothing.
    const isInTheWay = async () => !isBelowAny(path, goes) && (await kindAt(worktree.path, path)) === "file";
    if (dirty.has(path) || (kind === "added" && (await isInTheWay()))) suspects.push(path);
  }
  const written = await pathsAt(run, `${scratch.index}-written`, worktree, after, suspects);
  const blocking = suspects.filter((path) => !written.has(path));
  if (blocking.length > 0) throw inTheWay(wanted, worktree, "uncommitted work there would be overwritten", blocking);
  if (written.size > 0) await adopt(run, after, [...written]);
  await run(["update-index", "-q", "--refresh", "--ignore-submodules"], { workTree: worktree.path, okExits: [0, 1] });
  try {
    await switchWorktree(git, worktree, before, after);
  } catch (error) {
    if (!hasCode(error, "git.failed")) throw error;
    throw inTheWay(wanted, worktree, error.message, [], error);
  }
}

/** Index and files from one commit to the other; git looks at everything before it writes. Not cancelled: half a checkout helps nobody. */
export async function switchWorktree(
  git: HardenedGit,
  worktree: HostWorktree,
  from: string,
  to: string,
): Promise<void> {
  const { gitDir, path } = worktree;
  const args = ["read-tree", "-m", "-u", from, to];
  await git({ gitDir, cwd: gitDir, workTree: path, args, timeoutMs: CHECKOUT_TIMEOUT_MS });
}

/** Paths whose content a filter makes. It is a program, which is not run: what it makes would be missing. */
async function filteredPaths(
  run: Run,
  index: string,
  after: string,
  paths: readonly string[],
): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const listed = filtersOff(await run(LIST_CONFIG));
  const configured = new Set([
    ALWAYS_A_FILTER,
    ...listed.flatMap(([name]) => /^filter\.(.+)\.clean$/s.exec(name)?.[1] ?? []),
  ]);
  await run(["read-tree", after], { indexFile: index });
  const stdin = toStdin(paths);
  const fields = (await run(["check-attr", "--cached", "-z", "--stdin", "filter"], { indexFile: index, stdin })).split(
    "\0",
  );
  return paths.filter((_, n) => configured.has(fields[n * 3 + 2] ?? ""));
}

/** Those of the paths that are in the work tree as they are in `commit`; also those that are in neither. */
async function pathsAt(
  run: Run,
  index: string,
  worktree: HostWorktree,
  commit: string,
  paths: readonly string[],
): Promise<ReadonlySet<string>> {
  if (paths.length === 0) return new Set();
  const entries = await entriesOf(run, commit, paths);
  const own = { indexFile: index, workTree: worktree.path };
  await run(["update-index", "-z", "--add", "--index-info"], { ...own, stdin: toStdin([...entries.values()]) });
  await run(["update-index", "-q", "--refresh"], { ...own, okExits: [0, 1] });
  const differing = new Set((await run(["diff-files", "--name-only", "-z"], own)).split("\0"));
  const same: string[] = [];
  for (const path of paths) {
    if (entries.has(path) ? !differing.has(path) : (await kindAt(worktree.path, path)) === "none") same.push(path);
  }
  return new Set(same);
}

/** Has the developer's index show these paths as they are in `commit`. */
async function adopt(run: Run, commit: string, paths: readonly string[]): Promise<void> {
  const entries = await entriesOf(run, commit, paths);
  const none = "0".repeat(commit.length);
  const lines = paths.map((path) => entries.get(path) ?? `0 ${none}\t${path}`);
  await run(["update-index", "-z", "--add", "--replace", "--index-info"], { stdin: toStdin(lines) });
}

/** Entries of a tree in the form that an index takes. */
async function entriesOf(run: Run, commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const asked = new Set(paths);
  const lines = (await run(["ls-tree", "-r", "-z", "--full-tree", commit])).split("\0");
  const path = (line: string) => line.slice(line.indexOf("\t") + 1);
  return new Map(lines.filter((line) => line !== "" && asked.has(path(line))).map((line) => [path(line), line]));
}

function toStdin(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line}\0`).join(""), "latin1");
}

/** What stands at a path; a link is a file here. */
async function kindAt(worktree: string, path: string): Promise<"none" | "file" | "folder"> {
  const full = Buffer.concat([Buffer.from(`${worktree}/`), Buffer.from(path, "latin1")]);
  const found = await lstat(full).catch(() => null);
  return found === null ? "none" : found.isDirectory() ? "folder" : "file";
}

function isBelowAny(path: string, parents: ReadonlySet<string>): boolean {
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    if (parents.has(path.slice(0, at))) return true;
  }
  return false;
}

function inTheWay(
  wanted: WorktreeUpdate,
  worktree: HostWorktree,
  why: string,
  paths: readonly string[],
  cause?: unknown,
): AppError {
  const files = paths.map((path) => Buffer.from(path, "latin1").toString("utf8"));
  const shown = files.slice(0, NAMES_SHOWN).map((file) => JSON.stringify(file));
  const more = files.length > NAMES_SHOWN ? `, and ${files.length - NAMES_SHOWN} more` : "";
  const named = files.length === 0 ? "" : `: ${shown.join(", ")}${more}`;
  return new AppError({
    code: "git.conflict",
    message: `branch ${wanted.into} is checked out in ${worktree.path}, and ${why}${named}; nothing was changed`,
    hint: `commit or stash there, or merge by hand: git -C ${worktree.path} merge ${wanted.lane}`,
    details: { files },
    ...(cause === undefined ? {} : { cause }),
  });
}
