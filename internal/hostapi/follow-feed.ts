import type { ApiFeedGap } from "../protocol/index.ts";
import type { FeedEntry, FeedService } from "./ports.ts";

/** What a follower of the feed gets. */
export type FeedStep =
  | { readonly kind: "entry"; readonly entry: FeedEntry }
  /** Entries are gone; `next` follows. */
  | { readonly kind: "gap"; readonly gap: ApiFeedGap };

/** Entries read at once; a slow reader costs no more memory than this. */
const PAGE = 256;

/**
 * Entries after `after`, then live, until the signal aborts. Reads page by page from the store, so nothing is queued
 * for a slow reader; what was pruned before it got there is said as a gap, as is a feed that began anew.
 */
export async function* followFeed(
  feed: FeedService,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<FeedStep, void, undefined> {
  let wake: () => void = () => {};
  let news = true;
  const hear = () => {
    news = true;
    wake();
  };
  const unsubscribe = feed.subscribe(hear);
  signal.addEventListener("abort", hear, { once: true });
  try {
    let last = after;
    if (last > feed.latest()) {
      const latest = feed.latest();
      yield { kind: "gap", gap: { from: 1, to: latest, reset: true } };
      last = latest;
    }
    while (!signal.aborted) {
      news = false;
      const page = feed.readAfter(last, PAGE);
      const first = page[0];
      if (first !== undefined && first.seq > last + 1 && feed.oldest() > last + 1) {
        yield { kind: "gap", gap: { from: last + 1, to: first.seq - 1, reset: false } };
      }
      for (const entry of page) {
        last = entry.seq;
        yield { kind: "entry", entry };
      }
      if (page.length > 0 || news || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", hear);
  }
}
