import type { ApiInboxItem } from "../../protocol/index.ts";
import { kindWord } from "../parts/item-row.tsx";
import { toPath } from "../router.ts";
import type { News } from "./follow-news.ts";

/** A desktop shows a line or two: no more is handed out of the page. */
const BODY_MAX = 180;

/** What screen readers are told. */
export function announcement({ items, count }: News): string {
  const [item] = items;
  if (item === undefined || count > 1) return `${count} new items`;
  return `New: ${kindWord(item.kind)}${item.laneName === null ? "" : ` from ${item.laneName}`}: ${item.title}`;
}

/** A desktop notification, as plain text; `path` is where a click on it leads. */
interface Notice {
  readonly title: string;
  readonly body: string;
  /** Another one with the same tag takes its place. */
  readonly tag: string;
  readonly path: string;
}

/** One for each item while they are few, else one for all. */
export function toNotices({ items, count }: News): readonly Notice[] {
  if (items.length > 0) return items.map(toNotice);
  return [{ title: "Lanekeeper", body: `${count} new items wait for you`, tag: "many", path: toPath("inbox") }];
}

function toNotice({ id, kind, laneName, title }: ApiInboxItem): Notice {
  const body = title.length > BODY_MAX ? `${title.slice(0, BODY_MAX - 1)}…` : title;
  const head = `${kindWord(kind)}${laneName === null ? "" : ` · ${laneName}`}`;
  return { title: head, body, tag: id, path: toPath("inbox", {}, { item: id }) };
}

/** Shows a notice on the desktop. A click brings the page to the front, at what it is about. */
export function showNotice({ title, body, tag, path }: Notice, go: (path: string) => void): void {
  const shown = new Notification(title, { body, tag });
  shown.onclick = () => {
    window.focus();
    go(path);
    shown.close();
  };
}
