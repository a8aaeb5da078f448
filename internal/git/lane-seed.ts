import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError, errnoOf } from "../base/index.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { readRefs } from "./read-refs.ts";
import { openWorktree } from "./worktree-status.ts";

/** One file of a lane's private git dir as it is to be made. */
export interface SeedFile {
  /** Relative to the git dir. */
  readonly path: string;
  readonly content: string | Buffer;
  /** Its time, ms; git compares the index's own with those of the files it lists. Now when left out. */
  readonly mtimeMs?: number | undefined;
}

/** Which lane, of which repository. */
export interface SeedQuery {
  readonly repo: { readonly gitDir: string };
  readonly lane: string;
  readonly branch: string;
  /** The lane's work tree on the host. */
  readonly worktree: string;
  /** Where the repository's objects are in the lane. */
  readonly objectsInLane: string;
  /** See {@link laneConfig}. */
  readonly config: string;
  readonly signal?: AbortSignal | undefined;
}

/** Settings of the repository and its owner that a lane sees too. None of them names a program or a file. */
const HANDED_ON = new Set([
  ...["user.name", "user.email", "init.defaultbranch", "pull.rebase", "pull.ff", "push.default"],
  ...["core.autocrlf", "core.eol", "core.safecrlf", "core.filemode", "core.symlinks", "core.ignorecase"],
  ...[
    "core.quotepath",
    "core.whitespace",
    "core.precomposeunicode",
    "core.abbrev",
    "core.checkstat",
    "core.trustctime",
  ],
  ...["core.sparsecheckout", "core.sparsecheckoutcone", "index.sparse", "index.version", "i18n.commitencoding"],
  ...[
    "diff.algorithm",
    "diff.renames",
    "merge.conflictstyle",
    "merge.renames",
    "rebase.autosquash",
    "rebase.autostash",
  ],
  ...["rerere.enabled", "commit.cleanup", "branch.autosetuprebase"],
]);

/** What a lane starts with. */
export interface LaneSeed {
  readonly files: readonly SeedFile[];
  /** The branch's tip, on which host and lane agree at this moment. */
  readonly tip: string;
}

/**
 * The files from which a lane's private git dir is made: HEAD on the lane's branch, that branch, the repository's own
 * branch and its tags at their commits, the work tree's index, and the repository's objects by reference. On the way of
 * every start: reads files, starts no process, writes nothing.
 * @throws lane.worktree_missing, git.failed when the branch is gone
 */
export async function seedOfLane(query: SeedQuery): Promise<LaneSeed> {
  const { gitDir } = query.repo;
  const { branch, lane, signal } = query;
  const branchRef = `refs/heads/${branch}`;
  const [files, refs] = await Promise.all([
    openWorktree({ repo: query.repo, path: query.worktree, signal }).then((own) => ownFiles(own.gitDir, gitDir)),
    mainBranch(gitDir).then((main) => readRefs(gitDir, [branchRef, ...(main === null ? [] : [`refs/heads/${main}`])])),
  ]);
  const tip = refs.get(branchRef);
  if (tip === undefined) {
    throw new AppError({
      code: "git.failed",
      message: `lane ${lane}: its branch ${branch} is not there any more`,
      hint: `make it again: git branch ${branch} <commit>`,
    });
  }
  return {
    tip,
    files: [
      // Renamed to HEAD once all else is there: without it, it is no git dir.
      { path: "HEAD.seed", content: `ref: ${branchRef}\n` },
      { path: "config", content: query.config },
      { path: "packed-refs", content: [...refs].map(([name, oid]) => `${oid} ${name}\n`).join("") },
      { path: "objects/info/alternates", content: `${query.objectsInLane}\n` },
      ...files,
    ],
  };
}

/**
 * The configuration of a lane's private git dir: what of the repository's and its owner's is fit for it.
 * @throws workspace.invalid when the repository's objects are not all in its own folder, or made on demand
 */
export async function laneConfig(
  git: HardenedGit,
  query: {
    readonly repo: { readonly gitDir: string };
    /** The lane's work tree, where that has settings of its own: see {@link hasOwnConfig}. */
    readonly worktree?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<string> {
  const { signal, worktree, repo } = query;
  const { gitDir } = repo;
  const at = worktree === undefined ? gitDir : (await openWorktree({ repo, path: worktree, signal })).gitDir;
  const [{ stdout }, alternates] = await Promise.all([
    git({ gitDir: at, cwd: at, signal, args: ["config", "--list", "-z", "--includes"] }),
    readOrNull(join(gitDir, "objects", "info", "alternates")),
  ]);
  const settings = stdout.split("\0").map((entry) => {
    const end = entry.indexOf("\n");
    return end === -1 ? ([entry, "true"] as const) : ([entry.slice(0, end), entry.slice(end + 1)] as const);
  });
  if (alternates !== null && alternates.toString("utf8").trim() !== "") {
    throw unshareable(
      gitDir,
      "borrows objects from another one",
      "make it whole: git repack -a -d, then remove objects/info/alternates",
    );
  }
  if (
    settings.some(
      ([name, value]) => name === "extensions.partialclone" || (name.endsWith(".promisor") && value !== "false"),
    )
  ) {
    throw unshareable(gitDir, "is a partial clone", "clone it whole: git clone without --filter");
  }
  const format = settings.findLast(([name]) => name === "extensions.objectformat")?.[1] ?? "sha1";
  if (settings.some(([name, value]) => name === "extensions.refstorage" && value !== "files")) {
    throw unshareable(gitDir, "keeps its refs in another way than files", "git refs migrate --ref-format=files");
  }
  return renderConfig(
    format,
    settings.filter(([name]) => HANDED_ON.has(name)),
  );
}

/** Has the work tree settings of its own, as a sparse one has? */
export async function hasOwnConfig(query: Pick<SeedQuery, "repo" | "worktree">): Promise<boolean> {
  const own = await openWorktree({ repo: query.repo, path: query.worktree });
  return (await readOrNull(join(own.gitDir, "config.worktree"))) !== null;
}

/** Text of the lane's own configuration; the last word on a setting counts, as in git. */
function renderConfig(format: string, settings: readonly (readonly [string, string])[]): string {
  const lines = [
    "[core]",
    `\trepositoryFormatVersion = ${format === "sha1" ? 0 : 1}`,
    "\tbare = false",
    "\tlogAllRefUpdates = true",
    ...(format === "sha1" ? [] : ["[extensions]", `\tobjectFormat = ${quote(format)}`]),
    // A bitmap needs all objects in one pack of ours.
    "[repack]",
    "\twriteBitmaps = false",
  ];
  for (const [name, value] of new Map(settings)) {
    const dot = name.indexOf(".");
    lines.push(`[${name.slice(0, dot)}]`, `\t${name.slice(dot + 1)} = ${quote(value)}`);
  }
  return `${lines.join("\n")}\n`;
}

function quote(value: string): string {
  return `"${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\t/g, "\\t")}"`;
}

/** Files of the work tree's own git dir, and of the repository's, that decide what `git status` says. */
async function ownFiles(own: string, gitDir: string): Promise<readonly SeedFile[]> {
  const sources: readonly (readonly [path: string, from: string])[] = [
    ["info/sparse-checkout", join(own, "info", "sparse-checkout")],
    ["info/exclude", join(gitDir, "info", "exclude")],
    ["info/attributes", join(gitDir, "info", "attributes")],
    ["shallow", join(gitDir, "shallow")],
  ];
  const files = await Promise.all(
    sources.map(async ([path, from]) => {
      const content = await readOrNull(from);
      return content === null ? [] : [{ path, content }];
    }),
  );
  return [...files.flat(), ...(await ownIndex(own))];
}

/** The index, unless a part of it is in another file: then the lane makes its own. */
async function ownIndex(own: string): Promise<readonly SeedFile[]> {
  if ((await readdir(own)).some((name) => name.startsWith("sharedindex."))) return [];
  const content = await readOrNull(join(own, "index"));
  if (content === null) return [];
  return [{ path: "index", content, mtimeMs: (await stat(join(own, "index"))).mtimeMs }];
}

/** The branch of the repository's main work tree; null when detached. */
async function mainBranch(gitDir: string): Promise<string | null> {
  const head = (await readOrNull(join(gitDir, "HEAD")))?.toString("utf8") ?? "";
  return /^ref: refs\/heads\/(.+)\n?$/.exec(head)?.[1] ?? null;
}

async function readOrNull(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT" || errnoOf(caught) === "ENOTDIR") return null;
    throw caught;
  }
}

function unshareable(gitDir: string, what: string, hint: string): AppError {
  return new AppError({
    code: "workspace.invalid",
    message: `the repository ${gitDir} ${what}, which lanes cannot`,
    hint,
  });
}
