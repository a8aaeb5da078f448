import type { ApiInboxItem, ApiInboxPage } from "../../protocol/index.ts";

/** Which items a list shows. They are the words of the API and of the page's address. */
export interface InboxFilter {
  readonly state: "open" | "snoozed" | "done";
  readonly kind: string | null;
  /** A lane's id. */
  readonly lane: string | null;
  /** Part of the title or the body. */
  readonly q: string | null;
}

/** An item without its body, which may be long: that is fetched when the item is opened. */
export type InboxRow = Omit<ApiInboxItem, "body">;

/** A list of items, newest first, as far as it has been fetched. */
export interface InboxList {
  readonly filter: InboxFilter;
  readonly rows: readonly InboxRow[];
  /** Where the next page begins; null when all are here. */
  readonly next: string | null;
  /** How many items are open, whatever the filter. */
  readonly open: number;
  /** False until the first page of this filter is here. */
  readonly fetched: boolean;
  /** Put away here a moment ago. */
  readonly hidden: ReadonlySet<string>;
}

/** What changes a list. */
export type InboxAction =
  | { readonly type: "filter"; readonly filter: InboxFilter }
  /** The first page again, or for the first time. */
  | { readonly type: "head"; readonly filter: InboxFilter; readonly page: ApiInboxPage }
  /** The page that begins at `before`. */
  | { readonly type: "more"; readonly filter: InboxFilter; readonly before: string; readonly page: ApiInboxPage }
  /** One item as it is now. */
  | { readonly type: "item"; readonly item: ApiInboxItem }
  /** These are no more. */
  | { readonly type: "removed"; readonly ids: readonly unknown[] }
  | { readonly type: "hide"; readonly id: string }
  | { readonly type: "unhide"; readonly id: string };

export const NO_FILTER: InboxFilter = { state: "open", kind: null, lane: null, q: null };

export const EMPTY_INBOX: InboxList = {
  filter: NO_FILTER,
  rows: [],
  next: null,
  open: 0,
  fetched: false,
  hidden: new Set(),
};

/** The list after `action`. Pages of another filter than the present one came too late and change nothing. */
export function reduceInbox(list: InboxList, action: InboxAction): InboxList {
  switch (action.type) {
    case "filter":
      if (sameFilter(list.filter, action.filter)) return list;
      return { ...list, filter: action.filter, rows: [], next: null, fetched: false };
    case "head":
      return sameFilter(list.filter, action.filter) ? withHead(list, action.page) : list;
    case "more": {
      if (!sameFilter(list.filter, action.filter) || list.next !== action.before) return list;
      const known = new Set(list.rows.map((row) => row.id));
      const more = action.page.items.filter((item) => !known.has(item.id)).map(toRow);
      return { ...list, rows: [...list.rows, ...more], next: action.page.next, open: action.page.open };
    }
    case "item":
      return withItem(list, action.item);
    case "removed":
      return { ...list, rows: list.rows.filter(({ id }) => !action.ids.includes(id)) };
    case "hide":
      return { ...list, hidden: new Set([...list.hidden, action.id]) };
    case "unhide":
      return { ...list, hidden: new Set([...list.hidden].filter((id) => id !== action.id)) };
  }
}

/** The rows to show. */
export function shownRows(list: InboxList): readonly InboxRow[] {
  return list.hidden.size === 0 ? list.rows : list.rows.filter((row) => !list.hidden.has(row.id));
}

/** How many items wait for a person, those just put away here not counted. */
export function waitingCount(list: InboxList): number {
  if (list.filter.state !== "open") return list.open;
  return Math.max(0, list.open - list.rows.filter((row) => list.hidden.has(row.id)).length);
}

/** Does an item belong into a list? */
function matchesFilter(item: InboxRow, filter: InboxFilter): boolean {
  const tab = item.state === "open" || item.state === "snoozed" ? item.state : "done";
  return (
    tab === filter.state &&
    (filter.kind === null || item.kind === filter.kind) &&
    (filter.lane === null || item.lane === filter.lane)
  );
}

/** The filter in the query of an address; what it does not know becomes the default. */
export function filterOf(query: URLSearchParams): InboxFilter {
  const state = query.get("state");
  return {
    state: state === "snoozed" || state === "done" ? state : "open",
    kind: query.get("kind"),
    lane: query.get("lane"),
    q: query.get("q"),
  };
}

export function sameFilter(a: InboxFilter, b: InboxFilter): boolean {
  return a.state === b.state && a.kind === b.kind && a.lane === b.lane && a.q === b.q;
}

/** A fresh first page replaces everything that is not older than its last item; what was fetched beyond it stays. */
function withHead(list: InboxList, page: ApiInboxPage): InboxList {
  const rows = page.items.map(toRow);
  const last = rows.at(-1);
  const base = { ...list, open: page.open, fetched: true };
  if (page.next === null || last === undefined) return { ...base, rows, next: null };
  const at = list.rows.findIndex((row) => row.id === last.id);
  // The lists do not overlap: what is beyond may have a hole, so it is fetched anew when it is scrolled to.
  if (at < 0) return { ...base, rows, next: page.next };
  return {
    ...base,
    rows: [...rows, ...list.rows.slice(at + 1)],
    next: list.next ?? (at + 1 < list.rows.length ? null : page.next),
  };
}

function withItem(list: InboxList, item: ApiInboxItem): InboxList {
  const at = list.rows.findIndex((row) => row.id === item.id);
  const fits = matchesFilter(item, list.filter);
  if (at < 0) return list;
  const rows = fits ? list.rows.with(at, toRow(item)) : list.rows.toSpliced(at, 1);
  return { ...list, rows };
}

function toRow({ body: _, ...row }: ApiInboxItem): InboxRow {
  return row;
}
