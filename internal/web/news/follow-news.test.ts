import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ApiFeedEntry, ApiInboxItem } from "../../protocol/index.ts";
import { followNews, type News } from "./follow-news.ts";
import { announcement, toNotices } from "./tell.ts";

const item = (id: string, more: Partial<ApiInboxItem> = {}) =>
  ({ id, kind: "question", laneName: "shop", title: `Which, ${id}?`, state: "open", ...more }) as ApiInboxItem;

function open(items: readonly ApiInboxItem[]) {
  let hear: (entry: ApiFeedEntry | null) => void = () => {};
  const told: News[] = [];
  const end = followNews(
    {
      onFeed: (listen) => {
        hear = listen;
        return () => {};
      },
      fetchItem: async (id) => {
        const found = items.find((one) => one.id === id);
        if (!found) throw new Error("gone");
        return found;
      },
    },
    (news) => told.push(news),
  );
  return { told, end, hear: (type: string, id: string) => hear({ type, data: { id } } as unknown as ApiFeedEntry) };
}

describe("news", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is what is opened or comes back, together when it comes together, and only what still waits", async () => {
    const { told, hear } = open([item("a"), item("b", { state: "answered" }), item("c")]);
    hear("inbox.opened", "a");
    hear("inbox.opened", "b");
    hear("inbox.opened", "gone");
    hear("inbox.changed", "c");
    hear("lane.changed", "c");
    await vi.advanceTimersByTimeAsync(300);
    hear("inbox.woken", "c");
    await vi.advanceTimersByTimeAsync(300);
    expect(told.map(({ items, count }) => [items.map(({ id }) => id), count])).toEqual([
      [["a"], 1],
      [["c"], 1],
    ]);
  });

  it("is only counted when it is much, and ends", async () => {
    const { told, hear, end } = open([]);
    for (let n = 0; n < 50; n++) hear("inbox.opened", `i${n}`);
    await vi.advanceTimersByTimeAsync(300);
    expect(told).toEqual([{ items: [], count: 50 }]);
    hear("inbox.opened", "late");
    end();
    await vi.advanceTimersByTimeAsync(300);
    expect(told).toHaveLength(1);
  });

  it("is told in words, and on the desktop as short plain text that leads to the item", () => {
    const [one] = [item("a", { title: `<b>${"x".repeat(500)}`, laneName: null, kind: "failed" })];
    expect(announcement({ items: [item("a")], count: 1 })).toBe("New: Question from shop: Which, a?");
    expect(announcement({ items: [], count: 7 })).toBe("7 new items");
    expect(toNotices({ items: [item("a")], count: 1 })).toEqual([
      { title: "Question · shop", body: "Which, a?", tag: "a", path: "/?item=a" },
    ]);
    expect(toNotices({ items: [one], count: 1 })).toMatchObject([{ title: "Failed" }]);
    expect(toNotices({ items: [one], count: 1 })[0]?.body).toMatch(/^<b>x{176}…$/);
    expect(toNotices({ items: [], count: 7 })).toMatchObject([{ body: "7 new items wait for you", path: "/" }]);
  });
});
