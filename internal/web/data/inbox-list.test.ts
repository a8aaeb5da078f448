import { describe, expect, it } from "vitest";
import type { ApiInboxItem, ApiInboxPage } from "../../protocol/index.ts";
import {
  EMPTY_INBOX,
  filterOf,
  type InboxList,
  NO_FILTER,
  reduceInbox,
  shownRows,
  waitingCount,
} from "./inbox-list.ts";

function item(id: string, more: Partial<ApiInboxItem> = {}): ApiInboxItem {
  const createdAt = "2026-01-01T00:00:00.000Z";
  return {
    ...{ id, kind: "question", lane: "l1", laneName: "one", job: null, title: id, body: "long", choices: [] },
    ...{ default: null, urgency: "normal", state: "open", answer: null, by: null, delivered: null, read: false },
    ...{ snoozedUntil: null, createdAt, changedAt: createdAt, expiresAt: null, data: {} },
    ...more,
  };
}

const page = (ids: string, next: string | null = null, open = 9): ApiInboxPage => ({
  ...{ items: [...ids].map((id) => item(id)), next, open },
});
const head = (list: InboxList, ids: string, next: string | null = null) =>
  reduceInbox(list, { type: "head", filter: NO_FILTER, page: page(ids, next) });
const ids = (list: InboxList) =>
  shownRows(list)
    .map((row) => row.id)
    .join("");

describe("the list of items", () => {
  it("takes the first page and those after it, once each, without bodies", () => {
    const first = head(EMPTY_INBOX, "fed", "d");
    const all = reduceInbox(first, { type: "more", filter: NO_FILTER, before: "d", page: page("dcb") });
    expect(ids(all)).toBe("fedcb");
    expect(all).toMatchObject({ next: null, open: 9, fetched: true });
    expect(all.rows[0]).not.toHaveProperty("body");
    const again = reduceInbox(all, { type: "more", filter: NO_FILTER, before: "d", page: page("x") });
    expect(again).toBe(all);
  });

  it("puts a fresh first page over what it overlaps, and keeps what is beyond", () => {
    const all = { ...head(EMPTY_INBOX, "fedcba", "a"), next: "a" };
    // e is gone, g is new.
    expect(ids(head(all, "gfdc", "c"))).toBe("gfdcba");
    expect(head(all, "gfdc", "c").next).toBe("a");
    expect(ids(head({ ...all, next: null }, "gfdc", "c"))).toBe("gfdcba");
  });

  it("begins anew when the first page does not touch what it has, and when it is all there is", () => {
    const all = head(EMPTY_INBOX, "cba", "a");
    expect(head(all, "zyx", "x")).toMatchObject({ next: "x" });
    expect(ids(head(all, "zyx", "x"))).toBe("zyx");
    expect(ids(head(all, "c"))).toBe("c");
    expect(ids(head(all, ""))).toBe("");
  });

  it("drops what is no more", () => {
    const all = head(EMPTY_INBOX, "fedc", "c");
    expect(ids(reduceInbox(all, { type: "removed", ids: ["e", "x"] }))).toBe("fdc");
  });

  it("changes an item in its place, or takes it out when it fits no more", () => {
    const all = head(EMPTY_INBOX, "cba");
    const named = reduceInbox(all, { type: "item", item: item("b", { title: "new" }) });
    expect(named.rows[1]?.title).toBe("new");
    expect(ids(reduceInbox(all, { type: "item", item: item("b", { state: "answered" }) }))).toBe("ca");
    expect(ids(reduceInbox(all, { type: "item", item: item("z") }))).toBe("cba");
  });

  it("hides what was put away here, and shows it again when that is taken back", () => {
    const hidden = reduceInbox(head(EMPTY_INBOX, "cba"), { type: "hide", id: "b" });
    expect(ids(hidden)).toBe("ca");
    expect(waitingCount(hidden)).toBe(8);
    expect(ids(head(hidden, "cba"))).toBe("ca");
    expect(ids(reduceInbox(hidden, { type: "unhide", id: "b" }))).toBe("cba");
  });

  it("drops pages of a filter that is not shown any more", () => {
    const done = { ...NO_FILTER, state: "done" as const };
    const all = reduceInbox(head(EMPTY_INBOX, "cba"), { type: "filter", filter: done });
    expect(all).toMatchObject({ rows: [], fetched: false, filter: done });
    expect(head(all, "cba")).toBe(all);
    const answered = item("d", { state: "expired" });
    const shown = reduceInbox(all, { type: "head", filter: done, page: { items: [answered], next: null, open: 0 } });
    expect(ids(reduceInbox(shown, { type: "item", item: { ...answered, state: "done" } }))).toBe("d");
    expect(ids(reduceInbox(shown, { type: "item", item: { ...answered, state: "open" } }))).toBe("");
  });

  it("reads its filter from an address, whatever is in it", () => {
    expect(filterOf(new URLSearchParams("state=done&kind=drift&lane=l1"))).toEqual({
      state: "done",
      kind: "drift",
      lane: "l1",
      q: null,
    });
    expect(filterOf(new URLSearchParams("state=nonsense"))).toEqual(NO_FILTER);
  });
});
