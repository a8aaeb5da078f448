import type { InboxContext } from "./context.ts";

/** Closed items that one commit looks at. */
const AT_ONCE = 200;

/** See `Inbox.dropClosed`. Who follows the feed is told the ids, one entry for each step. */
export async function dropClosed(
  ctx: InboxContext,
  beforeMs: number,
  { signal }: { readonly signal: AbortSignal },
): Promise<number> {
  const { items, laneCalls, feed } = ctx.store;
  let count = 0;
  for (let after: number | null = 0; after !== null && !signal.aborted; ) {
    const step = { beforeMs, after, limit: AT_ONCE };
    after = ctx.commit(() => {
      const { ids, next } = items.dropClosed(step);
      for (const id of ids) laneCalls.forgetMade(id);
      const told = { lane: null, job: null, data: { ids } };
      if (ids.length > 0) feed.append({ atMs: ctx.clock.nowMs(), type: "inbox.removed", ...told });
      count += ids.length;
      return next;
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  return count;
}
