/** One line of a file's diff. Numbers are of the file before and after; null where the line is not in it. */
export interface DiffRow {
  readonly kind: "context" | "added" | "removed" | "hunk" | "note";
  readonly before: number | null;
  readonly after: number | null;
  readonly text: string;
}

/** Lines of one file that are shown; nobody reads more, and a browser would not take it. */
export const ROWS_MAX = 20_000;
/** Characters of one line that are shown. */
const LINE_MAX = 2000;

/** What hides or turns around other text: controls but tab, marks of direction, characters without a width. */
const TREACHEROUS = /(?!\t)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Rows of one file's unified diff, without git's header. What is too long is cut, with a note. */
export function parsePatch(patch: string): readonly DiffRow[] {
  const rows: DiffRow[] = [];
  let before = 0;
  let after = 0;
  let isInHunk = false;
  for (const line of patch.replace(/\n$/, "").split("\n")) {
    if (rows.length >= ROWS_MAX) {
      rows.push({
        kind: "note",
        before: null,
        after: null,
        text: `The rest is not shown: more than ${ROWS_MAX} lines.`,
      });
      return rows;
    }
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (hunk) {
      [before, after, isInHunk] = [Number(hunk[1]), Number(hunk[2]), true];
      rows.push({ kind: "hunk", before: null, after: null, text: toVisible(line) });
      continue;
    }
    if (!isInHunk) continue;
    const text = toVisible(line.slice(1));
    if (line.startsWith("+")) rows.push({ kind: "added", before: null, after: after++, text });
    else if (line.startsWith("-")) rows.push({ kind: "removed", before: before++, after: null, text });
    else if (line.startsWith("\\")) rows.push({ kind: "note", before: null, after: null, text: text.trim() });
    else if (line.startsWith(" ") || line === "")
      rows.push({ kind: "context", before: before++, after: after++, text });
    // A header in the middle: the next file begins.
    else isInHunk = false;
  }
  return rows;
}

/** Text of an agent's making with every character that could deceive the eye spelled out; cut where it is too long. */
export function toVisible(text: string): string {
  const cut =
    text.length > LINE_MAX ? `${text.slice(0, LINE_MAX)} … (${text.length - LINE_MAX} more characters)` : text;
  return cut.replace(
    TREACHEROUS,
    (char) => `‹U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}›`,
  );
}
