import type { VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ScrollBox } from "../parts/scroll-box.tsx";
import type { DiffRow } from "./parse-patch.ts";

/** Height of a line in CSS pixels; the style sheet knows it too. */
const ROW_PX = 20;
/** More lines than this get a scroll box of their own, with only those in sight in the document. */
const WHOLE_MAX = 400;
const OVERSCAN = 30;

const MARKS = { added: "+", removed: "-", context: " ", hunk: "", note: "" } as const;

/** A file's diff as a table: line numbers before and after, mark, text. */
export function DiffTable({ path, rows }: { readonly path: string; readonly rows: readonly DiffRow[] }): VNode {
  const box = useRef<HTMLElement>(null);
  const isWindowed = rows.length > WHOLE_MAX;
  const [view, setView] = useState({ top: 0, height: 800 });
  const look = () => {
    if (box.current) setView({ top: box.current.scrollTop, height: box.current.clientHeight });
  };
  useLayoutEffect(look, [rows]);
  const first = isWindowed ? Math.max(0, Math.floor(view.top / ROW_PX) - OVERSCAN) : 0;
  const last = isWindowed
    ? Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_PX) + OVERSCAN)
    : rows.length;
  return (
    <ScrollBox
      box={box}
      class={`diff-box ${isWindowed ? "is-windowed" : ""}`}
      label={`Changes of ${path}`}
      onScroll={isWindowed ? look : undefined}
    >
      <table class="diff" aria-rowcount={rows.length}>
        <tbody>
          <Gap rows={first} />
          {rows.slice(first, last).map((row, at) => (
            <Line key={first + at} row={row} at={first + at} />
          ))}
          <Gap rows={rows.length - last} />
        </tbody>
      </table>
    </ScrollBox>
  );
}

function Line({ row, at }: { readonly row: DiffRow; readonly at: number }): VNode {
  return (
    <tr class={`diff-${row.kind}`} aria-rowindex={at + 1}>
      <td class="diff-number">{row.before}</td>
      <td class="diff-number">{row.after}</td>
      <td class="diff-mark">{MARKS[row.kind]}</td>
      <td class="diff-text">{row.text}</td>
    </tr>
  );
}

function Gap({ rows }: { readonly rows: number }): VNode | null {
  if (rows === 0) return null;
  return (
    <tr style={{ height: `${rows * ROW_PX}px` }}>
      <td colSpan={4} />
    </tr>
  );
}
