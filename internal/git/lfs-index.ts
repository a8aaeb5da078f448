import { closeSync, fstatSync } from "node:fs";
import { throwIfAborted } from "../base/index.ts";
import { filtersOff, LIST_CONFIG } from "./filters.ts";
import type { Call } from "./git-at.ts";
import { lfsFilter } from "./lfs-filter.ts";
import { hashFile, type LfsPointer, POINTER_MAX_BYTES, parsePointer } from "./lfs-pointer.ts";
import { bytesOf, keepFolder, openAt, openRoot } from "./open-below.ts";
import { readBlobs } from "./read-blobs.ts";

/**
 * Files of git-lfs in a lane's work tree. `git lfs pull` in the lane puts the content where the host's index has a
 * pointer; git on the host, which runs no filter of the repository's choice, would call that a change.
 */

/** Of the pointers, and of the contents that are compared with them; what is beyond stays a change. */
const POINTERS_MAX_BYTES = 16 * 1024 * 1024;
const CONTENTS_MAX_BYTES = 4 * 1024 ** 3;
const RECORD_TIMEOUT_MS = 60_000;

/** A file whose content is the one that its pointer names. */
interface Pulled {
  readonly path: string;
  /** Its line in the index. */
  readonly line: string;
  readonly pointer: LfsPointer;
}

/** Those of the paths that git-lfs looks after, by the attributes in the index. Paths are bytes. */
export async function lfsPaths(run: Call, paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const stdin = Buffer.concat(paths.map((path) => bytesOf(`${path}\0`)));
  const { stdout } = await run(["check-attr", "--cached", "-z", "--stdin", "filter"], { stdin });
  const fields = stdout.split("\0");
  return paths.filter((_, n) => fields[n * 3 + 2] === "lfs");
}

/**
 * Those of the paths whose content in the work tree is the one that their pointers in the index name. No link is
 * followed; of a file that is not of its pointer's size nothing is read.
 * @param paths changed ones that git-lfs looks after, in content alone; bytes
 */
export async function findPulled(
  run: Call,
  worktree: string,
  paths: readonly string[],
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<readonly Pulled[]> {
  if (paths.length === 0) return [];
  const wanted = new Set(paths);
  const { stdout } = await run(["ls-files", "--stage", "-z"]);
  const entries = stdout.split("\0").flatMap((line) => {
    const [mode = "", blob = "", stage] = line.slice(0, line.indexOf("\t")).split(" ");
    const path = line.slice(line.indexOf("\t") + 1);
    return stage === "0" && mode.startsWith("100") && wanted.has(path) ? [{ line, path, blob }] : [];
  });
  const limits = { blobBytes: POINTER_MAX_BYTES, totalBytes: POINTERS_MAX_BYTES };
  const texts = await readBlobs(run, [...new Set(entries.map(({ blob }) => blob))], limits);
  const root = openRoot(worktree);
  const folder = keepFolder(root);
  const pulled: Pulled[] = [];
  let left = CONTENTS_MAX_BYTES;
  try {
    for (const { line, path, blob } of entries) {
      throwIfAborted(opts.signal);
      const pointer = parsePointer(texts.get(blob) ?? "");
      if (pointer === null || pointer.size > left) continue;
      left -= pointer.size;
      const slash = path.lastIndexOf("/");
      const at = folder.open(path.slice(0, Math.max(slash, 0)));
      if (await holds(at, path.slice(slash + 1), pointer, opts.signal)) pulled.push({ line, path, pointer });
    }
  } finally {
    folder.close();
    closeSync(root);
  }
  return pulled;
}

/** Is it a file with the content that the pointer names? */
async function holds(
  folder: number | null,
  name: string,
  { oid, size }: LfsPointer,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const fd = folder === null ? "ENOENT" : openAt(folder, name, 0);
  if (typeof fd === "string") return false;
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile() || facts.size !== size) return false;
    return (await hashFile(fd, { maxBytes: size, signal }))?.oid === oid;
  } finally {
    closeSync(fd);
  }
}

/**
 * Puts the time and size of pulled files on record in the index: from then on they are unchanged also for plain git that
 * has no git-lfs, and nobody compares them again. Git looks at each content itself once more, through a filter of ours.
 * @throws git.failed when the index is in use, timeout
 */
export async function recordPulled(run: Call, worktree: string, files: readonly Pulled[]): Promise<void> {
  if (files.length === 0) return;
  // Without a size on record git compares the content; with another one it does not even look.
  await run(["update-index", "-z", "--index-info"], {
    stdin: Buffer.concat(files.map(({ line }) => bytesOf(`${line}\0`))),
  });
  const listed = filtersOff((await run(LIST_CONFIG, { bytes: undefined })).stdout);
  const filters = [...listed.filter(([name]) => !name.startsWith("filter.lfs.")), ...lfsFilter(process.execPath)];
  const stdin = Buffer.concat(files.map(({ path }) => bytesOf(`:(top,literal)${path}\0`)));
  const args = ["add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul"];
  await run(args, { workTree: worktree, filters, stdin, timeoutMs: RECORD_TIMEOUT_MS });
}
