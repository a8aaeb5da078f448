import { randomBytes } from "node:crypto";
import { closeSync, fstatSync } from "node:fs";
import { type FileHandle, lchown, open, rename, rm, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { Call } from "./git-at.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { hashFile, type LfsPointer, POINTER_MAX_BYTES, POINTER_MIN_BYTES, parsePointer } from "./lfs-pointer.ts";
import { keepFolder, openAt, openRoot } from "./open-below.ts";
import { readBlobs } from "./read-blobs.ts";
import { foreignOwner, makeFolder, type RepositoryOwner } from "./repository-owner.ts";

/**
 * Contents of files that git-lfs looks after. In a lane they are in its own git dir, and a bundle brings their pointers
 * alone: what is in the work tree as well is brought into the repository's store, by name; the rest is counted.
 */

/** Not more than this is brought at once, and so many pointers are looked for among so many objects. */
const BROUGHT_MAX_BYTES = 2 * 1024 ** 3;
const POINTERS = { leastBytes: POINTER_MIN_BYTES, blobBytes: POINTER_MAX_BYTES, totalBytes: 16 * 1024 * 1024 };
const OBJECTS_MAX = 50_000;

/** A file as a commit has it. The path is bytes. */
interface CommittedFile {
  readonly path: string;
  readonly blob: string;
}

/** Which repository. */
interface StoreQuery {
  /** The repository's own git dir. */
  readonly gitDir: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings the contents that these files' pointers name from the work tree, where it has them, into the repository's
 * store. No link is followed, and what is not what the pointer names is left.
 */
export async function bringLfsObjects(
  git: HardenedGit,
  query: StoreQuery & { readonly worktree: string; readonly files: readonly CommittedFile[] },
): Promise<void> {
  const { gitDir, signal } = query;
  const pointers = await readBlobs(runIn(git, query), [...new Set(query.files.map(({ blob }) => blob))], POINTERS);
  const wanted = query.files.flatMap(({ path, blob }) => {
    const pointer = parsePointer(pointers.get(blob) ?? "");
    return pointer === null || pointer.size === 0 ? [] : [{ path, pointer }];
  });
  if (wanted.length === 0) return;
  const store = await storeOf(git, query);
  const owner = await foreignOwner(gitDir);
  const root = openRoot(query.worktree);
  const folder = keepFolder(root);
  let left = BROUGHT_MAX_BYTES;
  try {
    for (const { path, pointer } of wanted) {
      if (pointer.size > left || (await isThere(store, pointer))) continue;
      left -= pointer.size;
      const slash = path.lastIndexOf("/");
      const at = folder.open(path.slice(0, Math.max(slash, 0)));
      const fd = at === null ? "ENOENT" : openAt(at, path.slice(slash + 1), 0);
      if (typeof fd === "string") continue;
      try {
        const facts = fstatSync(fd);
        if (facts.isFile() && facts.size === pointer.size) await keep(store, fd, pointer, { owner, signal });
      } finally {
        closeSync(fd);
      }
    }
  } finally {
    folder.close();
    closeSync(root);
  }
}

/**
 * How many contents, named by a lane's commits that no remote has, are not in the repository's store. Null for more than
 * is looked through.
 * @param query.start the commit at which the lane was made; null: its commits are those that no other branch has
 */
export async function countMissingLfs(
  git: HardenedGit,
  query: StoreQuery & { readonly tip: string; readonly branch: string; readonly start: string | null },
): Promise<number | null> {
  const run = runIn(git, query);
  const others = query.start === null ? [`--exclude=${query.branch}`, "--branches"] : [query.start];
  const not = ["--not", ...others, "--remotes", "--"];
  const limit = `--filter=blob:limit=${POINTER_MAX_BYTES}`;
  const { stdout, cut } = await run(["rev-list", "--objects", "--no-object-names", limit, query.tip, ...not], {
    cutAt: OBJECTS_MAX * (query.tip.length + 1),
  });
  if (cut) return null;
  const texts = await readBlobs(
    run,
    stdout.split("\n").filter((line) => line !== ""),
    POINTERS,
  );
  const pointers = new Map<string, LfsPointer>();
  for (const text of texts.values()) {
    const pointer = parsePointer(text);
    if (pointer !== null && pointer.size > 0) pointers.set(pointer.oid, pointer);
  }
  if (pointers.size === 0) return 0;
  const store = await storeOf(git, query);
  const there = await Promise.all([...pointers.values()].map((pointer) => isThere(store, pointer)));
  return there.filter((is) => !is).length;
}

function runIn(git: HardenedGit, { gitDir, signal }: StoreQuery): Call {
  return (args, more) => git({ gitDir, cwd: gitDir, signal, bytes: true, ...more, args });
}

/** The folder of the contents; only the developer's configuration is asked, as git-lfs does. */
async function storeOf(git: HardenedGit, query: StoreQuery): Promise<string> {
  const { stdout } = await runIn(git, query)(["config", "--get", "lfs.storage"], { okExits: [0, 1], bytes: undefined });
  const named = stdout === "" ? "lfs" : stdout;
  return join(isAbsolute(named) ? named : join(query.gitDir, named), "objects");
}

const placeOf = (store: string, { oid }: LfsPointer): string => join(store, oid.slice(0, 2), oid.slice(2, 4), oid);

async function isThere(store: string, pointer: LfsPointer): Promise<boolean> {
  return (await stat(placeOf(store, pointer)).catch(() => null))?.size === pointer.size;
}

/** Copies an open file into the store; it gets its name there once it is what that says. */
async function keep(
  store: string,
  fd: number,
  pointer: LfsPointer,
  opts: { readonly owner: RepositoryOwner | null; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const place = placeOf(store, pointer);
  const folders = [dirname(store), store, dirname(dirname(place)), dirname(place)];
  for (const folder of folders) await makeFolder(folder, opts.owner);
  const draft = join(store, `lanekeeper-${randomBytes(8).toString("hex")}`);
  let handle: FileHandle | null = null;
  try {
    handle = await open(draft, "wx", 0o644);
    const to = handle;
    const take = async (piece: Buffer) => void (await to.writeFile(piece));
    const found = await hashFile(fd, { maxBytes: pointer.size, take, signal: opts.signal });
    await to.sync();
    if (found?.oid !== pointer.oid) return;
    if (opts.owner !== null) await lchown(draft, opts.owner.uid, opts.owner.gid);
    await rename(draft, place);
  } finally {
    await handle?.close();
    await rm(draft, { force: true });
  }
}
