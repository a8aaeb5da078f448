import { toPlain, truncate } from "./text.ts";

/** A column of a table. */
export interface Column<Row> {
  /** Printed upper-case. */
  readonly header: string;
  readonly value: (row: Row) => string;
  /** Colours the padded cell; never changes its width. */
  readonly paint?: ((cell: string, row: Row) => string) | undefined;
  /** May be cut on a terminal that is too narrow. Wider columns are cut first. */
  readonly shrink?: boolean | undefined;
}

/** Columns narrower than this cannot be read any more. */
const SHRINK_FLOOR = 8;
const GAP = "  ";

/**
 * Lays rows out in columns, one line per row, the header first. `width` is the terminal's, or `undefined` when the
 * output is piped: then nothing is cut.
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number | undefined,
): readonly string[] {
  const cells = rows.map((row) => columns.map((column) => toPlain(column.value(row)) || "-"));
  const widths = fitWidths(
    columns.map((column, at) => Math.max(column.header.length, ...cells.map((line) => [...(line[at] ?? "")].length))),
    columns.map((column) => column.shrink === true),
    width,
  );
  const lay = (texts: readonly string[], paint: (text: string, at: number) => string) =>
    texts
      .map((text, at) => {
        const cell = truncate(text, widths[at] ?? 0);
        // The last column is not padded: no trailing blanks.
        return paint(at === texts.length - 1 ? cell : pad(cell, widths[at] ?? 0), at);
      })
      .join(GAP)
      .trimEnd();
  const header = lay(
    columns.map((column) => column.header.toUpperCase()),
    (text) => text,
  );
  return [
    header,
    ...rows.map((row, index) => lay(cells[index] ?? [], (text, at) => columns[at]?.paint?.(text, row) ?? text)),
  ];
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - [...text].length));
}

/** Takes columns away, one by one from the widest that may shrink, until the line fits or nothing can be cut. */
function fitWidths(
  natural: readonly number[],
  shrink: readonly boolean[],
  width: number | undefined,
): readonly number[] {
  const widths = [...natural];
  if (width === undefined) return widths;
  let excess = widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1) - width;
  while (excess > 0) {
    let widest = -1;
    for (const [at, one] of widths.entries()) {
      if (shrink[at] && one > SHRINK_FLOOR && (widest < 0 || one > (widths[widest] ?? 0))) widest = at;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}

/** Pairs of name and value, the values aligned; values that are `null` are left out. */
export function renderFacts(facts: readonly (readonly [string, string | null])[]): readonly string[] {
  const shown = facts.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}
