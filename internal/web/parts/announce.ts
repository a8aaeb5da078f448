import type { InboxRow } from "../data/inbox-list.ts";
import { toPath } from "../router.ts";
import { kindWord } from "./item-row.tsx";
import { wantsNotifications } from "./notify.tsx";

/** What screen readers are told of new items, one at least. */
export function announcement(fresh: readonly InboxRow[]): string {
  const [row] = fresh;
  if (row === undefined || fresh.length > 1) return `${fresh.length} new items`;
  return `New: ${kindWord(row.kind)}${row.laneName === null ? "" : ` from ${row.laneName}`}: ${row.title}`;
}

/** When the newest of all was made that have been seen; one that was put away does not make those before it new. */
export function latestOf(rows: readonly InboxRow[], before: string | null): string {
  const newest = rows[0]?.createdAt ?? "";
  return before === null || newest > before ? newest : before;
}

/** Open items that are newer than `sinceIso`, oldest first. */
export function newerThan(rows: readonly InboxRow[], sinceIso: string): readonly InboxRow[] {
  return rows.filter((row) => row.state === "open" && row.createdAt > sinceIso).toReversed();
}

/** A desktop notification, for who wished for them and does not look at the page. A click opens the item. */
export function notify(row: InboxRow, go: (path: string) => void): void {
  if (!document.hidden || !wantsNotifications()) return;
  const title = `${kindWord(row.kind)}${row.laneName === null ? "" : ` · ${row.laneName}`}`;
  const shown = new Notification(title, { body: row.title, tag: row.id });
  shown.onclick = () => {
    window.focus();
    go(toPath("inbox", {}, { item: row.id }));
    shown.close();
  };
}
