import type { ApiDiffFile, ApiLaneDiff, ApiLaneMerge } from "../protocol/index.ts";
import type { RenderOptions, Style } from "./style.ts";
import { plural, toPlain, toPlainText } from "./text.ts";

/** Widest graph of `--stat`, in columns. */
const GRAPH_MAX = 40;
/** Longest path of `--stat` when the output is piped. */
const PATH_MAX = 100;
const NAMES_SHOWN = 10;

/** Files that programs of the host would run or obey, a line each, marked with `!`. */
export function renderFlags(files: readonly ApiDiffFile[], style: Style): readonly string[] {
  return files.flatMap(({ path, flags }) =>
    flags.length === 0
      ? []
      : [`${style.yellow("!")} ${toPlain(path)}: ${toPlain(flags.map(({ message }) => message).join("; "))}`],
  );
}

/** `lane diff --stat`: as git prints it, plus what is in no commit yet. */
export function renderStat(diff: ApiLaneDiff, { style, width }: RenderOptions): readonly string[] {
  const { files } = diff;
  if (files.length === 0) return [];
  const names = files.map(({ path, oldPath }) => toPlain(oldPath === null ? path : `${oldPath} => ${path}`));
  const counts = files.map(({ additions, deletions }) => (additions ?? 0) + (deletions ?? 0));
  const most = Math.max(...counts);
  const digits = Math.max(3, String(most).length);
  const room = Math.max(10, (width ?? PATH_MAX + GRAPH_MAX) - digits - GRAPH_MAX / 2);
  const nameWidth = Math.min(Math.max(...names.map((name) => [...name].length)), room);
  const scale = (count: number) => (most <= GRAPH_MAX ? count : Math.ceil((count * GRAPH_MAX) / most));
  const lines = files.map((file, n) => {
    const name = fitPath(names[n] ?? "", nameWidth);
    const open = file.uncommitted ? style.dim("  uncommitted") : "";
    if (file.additions === null) return ` ${name} | ${"-".padStart(digits)} ${sizeless(file)}${open}`;
    const graph = `${style.green("+".repeat(scale(file.additions)))}${style.red("-".repeat(scale(file.deletions ?? 0)))}`;
    return ` ${name} | ${String(counts[n]).padStart(digits)} ${graph}${open}`.trimEnd();
  });
  const parts = [
    `${plural(files.length, "file")} changed`,
    ...(diff.additions > 0 ? [`${plural(diff.additions, "insertion")}(+)`] : []),
    ...(diff.deletions > 0 ? [`${plural(diff.deletions, "deletion")}(-)`] : []),
  ];
  return [...lines, ` ${parts.join(", ")}`];
}

/** Not compared line by line; a folder or a pipe has nothing to be compared. */
function sizeless({ flags }: ApiDiffFile): string {
  const kind = flags.find(({ code }) => code === "nested-repository" || code === "special-file");
  return kind === undefined ? "binary or too large" : kind.code;
}

/** Keeps the end, which tells files apart. */
function fitPath(name: string, width: number): string {
  const chars = [...name];
  return chars.length <= width
    ? name.padEnd(name.length + width - chars.length)
    : `…${chars.slice(1 - width).join("")}`;
}

/** A patch for a terminal: coloured, and with nothing in it that a terminal would obey. */
export function renderPatch(patch: string, style: Style): string {
  return patch
    .split("\n")
    .map((line) => paintLine(toPlainText(line), style))
    .join("\n");
}

function paintLine(line: string, style: Style): string {
  if (/^(diff --git |index |--- |\+\+\+ |new file |deleted file |old mode |new mode |similarity |rename )/.test(line)) {
    return style.bold(line);
  }
  if (line.startsWith("@@")) return style.dim(line);
  if (line.startsWith("+")) return style.green(line);
  return line.startsWith("-") ? style.red(line) : line;
}

const WAYS: Readonly<Record<ApiLaneMerge["strategy"], string>> = {
  none: "",
  ff: "fast-forward",
  merge: "merge commit",
  squash: "squashed",
};

/** `lane merge`. */
export function renderMerge(merged: ApiLaneMerge, lane: string): readonly string[] {
  const into = toPlain(merged.into);
  if (merged.strategy === "none") return [`${into} has all commits of lane ${lane} already`];
  const how = `${WAYS[merged.strategy]}, ${plural(merged.commits, "commit")}`;
  return merged.dryRun
    ? [`lane ${lane} would come into ${into}: ${how}`]
    : [`lane ${lane} is merged into ${into}: ${how}; ${into} is at ${merged.after.slice(0, 10)}`];
}

/** What a merge has left out; null for nothing. */
export function renderLeftOut({ uncommitted = [] }: ApiLaneMerge): string | null {
  if (uncommitted.length === 0) return null;
  const shown = uncommitted.slice(0, NAMES_SHOWN).map(toPlain).join(", ");
  const more = uncommitted.length > NAMES_SHOWN ? ", …" : "";
  return `not committed in the lane, and so not merged: ${shown}${more}`;
}
