import { AppError } from "../base/index.ts";

/** What became of a file. */
export type ChangeStatus = "added" | "modified" | "deleted" | "renamed" | "copied" | "type-changed";

/** One changed file between a tree and an index. Paths are bytes, one in each character. */
export interface Change {
  readonly path: string;
  readonly oldPath: string | null;
  readonly status: ChangeStatus;
  /** As `100644`; `000000` where there is none. */
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldBlob: string;
  readonly newBlob: string;
  /** Null for a binary one. */
  readonly additions: number | null;
  readonly deletions: number | null;
}

const STATUS: Readonly<Record<string, ChangeStatus>> = {
  A: "added",
  M: "modified",
  D: "deleted",
  R: "renamed",
  C: "copied",
  T: "type-changed",
};

/** Parses `git diff-index --raw --numstat -z --no-abbrev`. */
export function parseChanges(output: string): readonly Change[] {
  const fields = output.split("\0");
  const raw: Omit<Change, "additions" | "deletions">[] = [];
  const counts = new Map<string, readonly [number | null, number | null]>();
  let at = 0;
  const next = (): string => {
    const field = fields[at++];
    if (field !== undefined) return field;
    throw new AppError({ code: "git.failed", message: "git printed half a list of changes" });
  };
  while (at < fields.length - 1) {
    const head = next();
    if (head.startsWith(":")) {
      const [oldMode = "", newMode = "", oldBlob = "", newBlob = "", letter = ""] = head.slice(1).split(" ");
      const status = STATUS[letter.charAt(0)] ?? "modified";
      const first = next();
      const moved = status === "renamed" || status === "copied";
      const path = moved ? next() : first;
      raw.push({ path, oldPath: moved ? first : null, status, oldMode, newMode, oldBlob, newBlob });
    } else {
      const [plus = "", minus = "", ...name] = head.split("\t");
      let path = name.join("\t");
      // Of a moved file: both paths follow.
      if (path === "") {
        next();
        path = next();
      }
      counts.set(path, [toCount(plus), toCount(minus)]);
    }
  }
  return raw.map((one) => {
    const [additions, deletions] = counts.get(one.path) ?? [null, null];
    return { ...one, additions, deletions };
  });
}

function toCount(text: string): number | null {
  return text === "-" ? null : Number(text);
}

/** Cuts a patch that is longer than `max` characters behind its last whole file, or, of a single one, its last whole line. */
export function cutPatch(patch: string, max: number): string {
  const head = patch.slice(0, max);
  const end = head.lastIndexOf("\ndiff --git ");
  return head.slice(0, (end > 0 ? end : head.lastIndexOf("\n")) + 1);
}
