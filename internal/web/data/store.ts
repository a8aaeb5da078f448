import { type ReadonlySignal, signal } from "@preact/signals";
import type { ApiFeedEntry, ApiInboxItem, ApiInboxPage, ApiLane } from "../../protocol/index.ts";
import { type Api, ApiError, describeError } from "../api.ts";
import { coalesce } from "./coalesce.ts";
import {
  EMPTY_INBOX,
  type InboxAction,
  type InboxFilter,
  type InboxList,
  reduceInbox,
  sameFilter,
} from "./inbox-list.ts";
import { shareFeed } from "./shared-feed.ts";

/** How the page stands with the daemon. What is shown stays on the screen while it is away. */
export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** Lost; it is tried again by itself. */
  | { readonly kind: "away" }
  /** The token is not taken any more. */
  | { readonly kind: "refused" };

/** What the page knows, kept fresh by the feed. */
export interface Store extends Disposable {
  readonly connection: ReadonlySignal<Connection>;
  /** By id; null until they are here for the first time. */
  readonly lanes: ReadonlySignal<ReadonlyMap<string, ApiLane> | null>;
  readonly inbox: ReadonlySignal<InboxList>;
  /** Why the list could not be fetched; null when it could. */
  readonly failure: ReadonlySignal<string | null>;
  /** Shows another part of the inbox. */
  showInbox(filter: InboxFilter): void;
  /** Fetches the next page of the list, when there is one. */
  moreInbox(): Promise<void>;
  changeInbox(action: InboxAction): void;
  /** Fetches the list's first page again, soon. */
  refreshInbox(): void;
  /** One item with its body; the list takes it over. @throws ApiError */
  fetchItem(id: string, signal?: AbortSignal): Promise<ApiInboxItem>;
  /** Takes an answer's newer state of a lane over. */
  putLane(lane: ApiLane): void;
  /** Hears every entry of the feed, and null when everything may have changed. Returns its end. */
  onFeed(listen: (entry: ApiFeedEntry | null) => void): () => void;
  /** The server refused the token: nothing works any more. */
  refuse(): void;
}

/** Items fetched at once. */
const PAGE = 100;
/** More lanes than this at once are fetched as one list. */
const SINGLY_MAX = 4;
const QUIET_MS = 80;

/** Opens the store and follows the feed. */
export function openStore(api: Api): Store {
  const stop = new AbortController();
  const connection = signal<Connection>({ kind: "connecting" });
  const lanes = signal<ReadonlyMap<string, ApiLane> | null>(null);
  const inbox = signal<InboxList>(EMPTY_INBOX);
  const failure = signal<string | null>(null);
  const listeners = new Set<(entry: ApiFeedEntry | null) => void>();
  const dirtyLanes = new Set<string>();
  let allLanesDirty = true;
  let fetchingMore = false;

  const changeInbox = (action: InboxAction) => {
    inbox.value = reduceInbox(inbox.value, action);
  };
  const putLane = (lane: ApiLane) => {
    if (lanes.value !== null) lanes.value = new Map(lanes.value).set(lane.id, lane);
  };

  const fetchHead = coalesce(async () => {
    const { filter } = inbox.value;
    try {
      const page = await api.call<ApiInboxPage>("GET", inboxPath(filter, null), undefined, stop);
      changeInbox({ type: "head", filter, page });
      failure.value = null;
      if (!sameFilter(filter, inbox.value.filter)) fetchHead.wish();
    } catch (error) {
      if (!stop.signal.aborted) failure.value = describeError(error);
    }
  }, 0);

  const fetchLanes = coalesce(async () => {
    const ids = [...dirtyLanes];
    const all = allLanesDirty || ids.length > SINGLY_MAX || lanes.value === null;
    dirtyLanes.clear();
    allLanesDirty = false;
    try {
      if (all) {
        const list = await api.call<ApiLane[]>("GET", "/v1/lanes", undefined, stop);
        lanes.value = new Map(list.map((lane) => [lane.id, lane]));
      } else for (const id of ids) await fetchLane(id);
    } catch {
      allLanesDirty = true;
    }
  }, QUIET_MS);

  const fetchLane = async (id: string) => {
    try {
      putLane(await api.call<ApiLane>("GET", `/v1/lanes/${id}`, undefined, stop));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
      lanes.value = without(lanes.value, id);
    }
  };

  const refetchAll = () => {
    allLanesDirty = true;
    fetchLanes.wish();
    fetchHead.wish();
    for (const listen of listeners) listen(null);
  };

  const fetchItem = async (id: string, abort: AbortSignal = stop.signal) => {
    const item = await api.call<ApiInboxItem>("GET", `/v1/inbox/${encodeURIComponent(id)}`, undefined, {
      signal: abort,
    });
    changeInbox({ type: "item", item });
    return item;
  };

  const onEntry = (entry: ApiFeedEntry) => {
    if (entry.type.startsWith("inbox.")) {
      const id = typeof entry.data.id === "string" ? entry.data.id : null;
      if (Array.isArray(entry.data.ids)) changeInbox({ type: "removed", ids: entry.data.ids });
      // One further down than the first page, which is fetched in any case.
      if (id !== null && inbox.value.rows.findIndex((row) => row.id === id) >= PAGE) void fetchItem(id).catch(() => {});
      fetchHead.wish();
    }
    if (entry.type === "lane.removed") {
      lanes.value = without(lanes.value, entry.lane);
      // A call that was under way may bring it back: the whole list has the last word.
      allLanesDirty = true;
      fetchLanes.wish();
    } else if (entry.lane !== null) {
      dirtyLanes.add(entry.lane);
      fetchLanes.wish();
    }
    for (const listen of listeners) listen(entry);
  };

  const set = (next: Connection) => {
    if (connection.value.kind !== "refused") connection.value = next;
  };
  // Not only when the feed is open: another tab, which follows it, may be slow to say so.
  refetchAll();
  void shareFeed(
    api,
    {
      onOpen: () => {
        set({ kind: "live" });
        refetchAll();
      },
      onEntry,
      onGap: refetchAll,
      onLost: () => set({ kind: "away" }),
    },
    stop.signal,
  );

  return {
    ...{ connection, lanes, inbox, failure, changeInbox, fetchItem, putLane },
    refreshInbox: () => fetchHead.wish(),
    showInbox(filter) {
      const before = inbox.value;
      changeInbox({ type: "filter", filter });
      if (inbox.value !== before) fetchHead.wish();
    },
    async moreInbox() {
      const { filter, next } = inbox.value;
      if (next === null || fetchingMore) return;
      fetchingMore = true;
      try {
        const page = await api.call<ApiInboxPage>("GET", inboxPath(filter, next), undefined, stop);
        changeInbox({ type: "more", filter, before: next, page });
      } catch (error) {
        failure.value = describeError(error);
      } finally {
        fetchingMore = false;
      }
    },
    onFeed(listen) {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
    refuse() {
      connection.value = { kind: "refused" };
      stop.abort();
    },
    [Symbol.dispose]: () => stop.abort(),
  };
}

function without(lanes: ReadonlyMap<string, ApiLane> | null, id: string | null): ReadonlyMap<string, ApiLane> | null {
  return lanes && new Map([...lanes].filter(([known]) => known !== id));
}

function inboxPath(filter: InboxFilter, before: string | null): string {
  const query = new URLSearchParams({ state: filter.state, limit: String(PAGE) });
  if (filter.kind !== null) query.set("kind", filter.kind);
  if (filter.lane !== null) query.set("lane", filter.lane);
  if (filter.q !== null) query.set("q", filter.q);
  if (before !== null) query.set("before", before);
  return `/v1/inbox?${query}`;
}
