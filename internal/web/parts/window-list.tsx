import type { ComponentChildren, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** Rows that are kept beyond what can be seen, on either side. */
const OVERSCAN = 8;

/**
 * A list box whose rows all have one height, of which only those in sight are in the document. The chosen row has the
 * focus of the list (roving tabindex) and is always there.
 */
export function WindowList<T extends { readonly id: string }>(props: {
  readonly label: string;
  readonly rows: readonly T[];
  /** Height of a row in CSS pixels. */
  readonly rowPx: number;
  readonly chosen: string | null;
  /** The whole length is not known: more comes when the end is near. */
  readonly isPartial: boolean;
  readonly onChoose: (row: T) => void;
  /** The last rows are in sight. */
  readonly onEnd: () => void;
  readonly render: (row: T) => ComponentChildren;
}): VNode {
  const { rows, rowPx, chosen } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800 });
  const chosenAt = rows.findIndex((row) => row.id === chosen);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    if (chosenAt >= 0 && box.current) scrollIntoView(box.current, chosenAt * rowPx, rowPx);
  }, [chosenAt, rowPx]);

  const first = Math.max(0, Math.floor(view.top / rowPx) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / rowPx) + OVERSCAN);
  useEffect(() => {
    if (last >= rows.length - OVERSCAN) props.onEnd();
  }, [last, rows.length]);

  const shown = rows.slice(first, last).map((row, at) => ({ row, at: first + at }));
  const chosenRow = rows[chosenAt];
  if (chosenRow && (chosenAt < first || chosenAt >= last)) shown.push({ row: chosenRow, at: chosenAt });
  const tabStop = chosenAt >= 0 ? chosen : rows[0]?.id;
  return (
    <div
      ref={box}
      class="window-list"
      role="listbox"
      aria-label={props.label}
      tabIndex={-1}
      onScroll={(event) => setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
    >
      <div class="window-list-inner" role="presentation" style={{ height: `${rows.length * rowPx}px` }}>
        {shown.map(({ row, at }) => (
          <div
            key={row.id}
            id={`row-${row.id}`}
            class="window-list-row"
            role="option"
            aria-selected={row.id === chosen}
            aria-setsize={props.isPartial ? -1 : rows.length}
            aria-posinset={at + 1}
            tabIndex={row.id === tabStop ? 0 : -1}
            style={{ top: `${at * rowPx}px`, height: `${rowPx}px` }}
            onClick={() => props.onChoose(row)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" && event.key !== " ") return;
              event.preventDefault();
              props.onChoose(row);
            }}
          >
            {props.render(row)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** Puts the focus on a row of a list, once it is drawn. */
export function focusRow(id: string): void {
  requestAnimationFrame(() => document.getElementById(`row-${id}`)?.focus({ preventScroll: true }));
}

function scrollIntoView(box: HTMLElement, top: number, height: number): void {
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
}
