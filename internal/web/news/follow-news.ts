import type { ApiFeedEntry, ApiInboxItem } from "../../protocol/index.ts";
import type { Store } from "../data/store.ts";

/** What has come for a person: each item when they are few, else only how many. */
export interface News {
  readonly items: readonly ApiInboxItem[];
  readonly count: number;
}

/** What comes within this time is told together, ms. */
const GATHER_MS = 200;
/** More are only counted. */
const EACH_MAX = 3;

/** Tells of every item that is opened, or comes back, from now on, whatever list is shown. Returns the end of it. */
export function followNews(store: Pick<Store, "onFeed" | "fetchItem">, tell: (news: News) => void): () => void {
  const ids = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const flush = async () => {
    timer = null;
    const gathered = [...ids];
    ids.clear();
    if (gathered.length > EACH_MAX) return tell({ items: [], count: gathered.length });
    const found = await Promise.all(gathered.map((id) => store.fetchItem(id).catch(() => null)));
    // It may have been answered meanwhile.
    const items = found.filter((item) => item?.state === "open") as readonly ApiInboxItem[];
    if (items.length > 0) tell({ items, count: items.length });
  };
  const hear = (entry: ApiFeedEntry | null) => {
    if (entry?.type !== "inbox.opened" && entry?.type !== "inbox.woken") return;
    if (typeof entry.data.id === "string") ids.add(entry.data.id);
    timer ??= setTimeout(() => void flush(), GATHER_MS);
  };
  const end = store.onFeed(hear);
  return () => {
    end();
    if (timer !== null) clearTimeout(timer);
  };
}
