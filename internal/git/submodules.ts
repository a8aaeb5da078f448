import { opendir } from "node:fs/promises";
import { join } from "node:path";
import type { HardenedGit } from "./hardened-git.ts";

/**
 * Submodules of a lane's work tree. What stands at their paths is the lane's: a git dir that is not there on the host, over
 * which plain `git status` dies, or one whose settings name programs, which it runs. The index says that git leaves these
 * paths alone; it is in the work tree's own git dir, so no setting of the repository changes, and no lane can undo it.
 */

/** A work tree's own git dir, whose index is meant. */
interface IndexQuery {
  readonly gitDir: string;
  readonly signal?: AbortSignal | undefined;
}

/** In a settings file of the work tree alone, which sparse ones have: there git looks at marked paths all the same. */
const SPARSE_NAME = "diff.ignoreSubmodules";
const SPARSE_VALUE = "dirty";
/** So many git dirs of submodules are looked through. */
const COPIES_MAX = 200;
const DEPTH_MAX = 6;

/** The index's submodules. Paths are bytes, one in each character. */
export async function listSubmodules(git: HardenedGit, { gitDir, signal }: IndexQuery): Promise<readonly string[]> {
  const { stdout } = await git({ gitDir, cwd: gitDir, signal, bytes: true, args: ["ls-files", "--stage", "-z"] });
  const links = stdout.split("\0").filter((line) => line.startsWith("160000 "));
  return [...new Set(links.map((line) => line.slice(line.indexOf("\t") + 1)))];
}

/**
 * Has the host's plain git, and all that calls it, neither enter the submodules of a lane's work tree nor fail over them.
 * May be repeated.
 */
export async function shieldSubmodules(git: HardenedGit, query: IndexQuery): Promise<void> {
  const { gitDir, signal } = query;
  const paths = await listSubmodules(git, query);
  if (paths.length === 0) return;
  await mark(git, query, "--skip-worktree", paths);
  const at = { gitDir, cwd: gitDir, signal };
  const sparse = await git({ ...at, args: ["config", "--bool", "core.sparseCheckout"], okExits: [0, 1] });
  // Fails where work trees cannot have settings of their own: then plain git enters, and there is no way to say no.
  if (sparse.stdout === "true")
    await git({ ...at, args: ["config", "--worktree", SPARSE_NAME, SPARSE_VALUE], okExits: [0, 1, 128] });
}

/** Takes the shield off a work tree that outlives its lane. */
export async function unshieldSubmodules(git: HardenedGit, query: IndexQuery): Promise<void> {
  const paths = await listSubmodules(git, query);
  if (paths.length === 0) return;
  await mark(git, query, "--no-skip-worktree", paths);
  const unset = ["config", "--worktree", "--unset", SPARSE_NAME, SPARSE_VALUE];
  await git({ gitDir: query.gitDir, cwd: query.gitDir, signal: query.signal, args: unset, okExits: [0, 1, 5, 128] });
}

async function mark(git: HardenedGit, query: IndexQuery, how: string, paths: readonly string[]): Promise<void> {
  const { gitDir, signal } = query;
  const stdin = Buffer.from(paths.map((path) => `${path}\0`).join(""), "latin1");
  await git({ gitDir, cwd: gitDir, signal, args: ["update-index", "-z", how, "--stdin"], stdin });
}

/**
 * Which of these commits the repository's own copies of its submodules have. The others may be nowhere but in a lane.
 * @param query.gitDir the repository's own git dir, which no lane can write
 */
export async function knownSubmoduleCommits(
  git: HardenedGit,
  query: { readonly gitDir: string; readonly commits: readonly string[]; readonly signal?: AbortSignal | undefined },
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  if (query.commits.length === 0) return known;
  const stdin = query.commits.map((oid) => `${oid}^{commit}\n`).join("");
  const args = ["cat-file", "--batch-check=%(objectname)"];
  for (const gitDir of await findGitDirs(join(query.gitDir, "modules"))) {
    const shown = await git({ gitDir, cwd: gitDir, signal: query.signal, args, stdin, okExits: [0, 128] });
    for (const line of shown.stdout.split("\n")) if (!line.includes(" ")) known.add(line);
  }
  return known;
}

/** Git dirs below a folder: a submodule's name may have slashes, and its own submodules are below it. */
async function findGitDirs(root: string, depth = 0): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const entry of await opendir(root)) if (entry.isDirectory()) names.push(entry.name);
  } catch {
    return [];
  }
  if (names.includes("objects") && names.includes("refs")) {
    const deeper = names.includes("modules") && depth < DEPTH_MAX;
    return [root, ...(deeper ? await findGitDirs(join(root, "modules"), depth + 1) : [])].slice(0, COPIES_MAX);
  }
  if (depth >= DEPTH_MAX) return [];
  const below = await Promise.all(names.map((name) => findGitDirs(join(root, name), depth + 1)));
  return below.flat().slice(0, COPIES_MAX);
}
