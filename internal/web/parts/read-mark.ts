import { useEffect, useState } from "preact/hooks";
import type { ApiInboxItem } from "../../protocol/index.ts";
import type { App } from "../app.ts";
import type { InboxRow } from "../data/inbox-list.ts";
import { useLookedAt } from "./hooks.ts";

/** Looked at for so long, an item counts as read, ms: longer than it takes to pass it by. */
const READ_AFTER_MS = 700;

/** Does it wait, and has nobody looked at it yet? What is over is not news any more, read or not. */
export function isNews({ state, read }: Pick<InboxRow, "state" | "read">): boolean {
  return (state === "open" || state === "snoozed") && !read;
}

/** Notes an item that waits as read once a person has looked at it for a moment; what is marked by hand stays so. */
export function useReadMark(app: App, item: ApiInboxItem): { readonly isNew: boolean; readonly toggle: () => void } {
  const isLookedAt = useLookedAt();
  const [isDecided, setDecided] = useState(false);
  const isNew = isNews(item);
  const mark = (isRead: boolean) => {
    setDecided(true);
    app.inbox.markRead(item, isRead);
  };
  useEffect(() => {
    if (isDecided || !isNew || !isLookedAt) return;
    const timer = setTimeout(() => mark(true), READ_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isDecided, isNew, isLookedAt]);
  return { isNew, toggle: () => mark(isNew) };
}
