import type { Change, ChangeStatus } from "./diff-parse.ts";
import { type FileFlag, flagFiles, GITLINK, NESTED_MODE, needsText, SPECIAL_MODE } from "./flag-files.ts";
import type { Call } from "./git-at.ts";
import { type BlobLimits, readBlobs } from "./read-blobs.ts";

/** A changed file as people see it. */
export interface DiffFile {
  readonly path: string;
  readonly oldPath: string | null;
  readonly status: ChangeStatus;
  /** Null for one that is not compared line by line: binary, or too large. */
  readonly additions: number | null;
  readonly deletions: number | null;
  /** It differs from the lane's last commit, or is in none. */
  readonly uncommitted: boolean;
  readonly flags: readonly FileFlag[];
}

/** A change with its flags. */
export interface JudgedChange extends Change {
  readonly flags: readonly FileFlag[];
}

/** Larger files are not looked into; and not more than this of all of them together. */
const LIMITS: BlobLimits = { blobBytes: 256 * 1024, totalBytes: 16 * 1024 * 1024 };
const NONE = "000000";

/**
 * Gives each change its flags; what is in the files is read where it matters.
 * @param known tells which of these commits of submodules are on this host
 */
export async function judgeChanges(
  inLane: Call,
  changes: readonly Change[],
  known: (commits: readonly string[]) => Promise<ReadonlySet<string>>,
): Promise<readonly JudgedChange[]> {
  const ofSubmodules = changes.flatMap(({ newMode, newBlob }) => (newMode === GITLINK ? [newBlob] : []));
  const knownCommits = await known(ofSubmodules);
  const asking = changes.filter(needsText);
  const blobs = asking.flatMap(({ oldMode, oldBlob, newMode, newBlob }) => [
    ...(oldMode === NONE ? [] : [oldBlob]),
    ...(newMode === NONE ? [] : [newBlob]),
  ]);
  const texts = await readBlobs(inLane, [...new Set(blobs)], LIMITS);
  const textOf = (mode: string, blob: string) => (mode === NONE ? null : toTextOrNull(texts.get(blob)));
  const flags = flagFiles(
    changes.map(({ path, oldMode, newMode, oldBlob, newBlob }) => ({
      path: toText(path),
      oldMode,
      newMode,
      oldText: textOf(oldMode, oldBlob),
      newText: textOf(newMode, newBlob),
      ...(newMode === GITLINK ? { isCommitKnown: knownCommits.has(newBlob) } : {}),
    })),
  );
  return changes.map((change, n) => ({ ...change, flags: flags[n] ?? [] }));
}

/** What could be no part of the patch joins the list: it is seen at least that it is there. */
export function addUnpatched(
  changes: readonly Change[],
  beside: {
    readonly special: readonly string[];
    readonly nested: readonly string[];
    readonly skipped: readonly string[];
  },
  isUntracked: (path: string) => boolean,
): readonly Change[] {
  const known = new Map(changes.map((change) => [change.path, change]));
  const put = (path: string, newMode: string, status: ChangeStatus) => {
    const before = known.get(path) ?? { oldPath: null, oldMode: NONE, oldBlob: "", newBlob: "" };
    known.set(path, { ...before, path, newMode, status, additions: null, deletions: null });
  };
  for (const path of beside.special) put(path, SPECIAL_MODE, "type-changed");
  for (const path of beside.nested) put(path, NESTED_MODE, "added");
  for (const path of beside.skipped) put(path, "100644", isUntracked(path) ? "added" : "modified");
  return [...known.values()];
}

/** A change for people: paths are text now, whatever their bytes are. */
export function toFile(change: JudgedChange, uncommitted: boolean): DiffFile {
  const { path, oldPath, status, additions, deletions, flags } = change;
  const from = oldPath === null ? null : toText(oldPath);
  return { path: toText(path), oldPath: from, status, additions, deletions, uncommitted, flags };
}

/** Bytes, one in each character, as UTF-8. */
function toText(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function toTextOrNull(bytes: string | undefined): string | null {
  return bytes === undefined ? null : toText(bytes);
}
