import { hasCode } from "../base/index.ts";
import type { ApiInboxItem, InboxQuery } from "../protocol/index.ts";
import { awayHooks } from "./attach.ts";
import { type Ctx, renderOptionsOf } from "./context.ts";
import { followFeed } from "./follow-feed.ts";
import { renderChange, renderInbox } from "./render-inbox.ts";

/** What the feed calls whatever happens to an item. */
const FEED_PREFIX = "inbox.";

/**
 * Prints what waits, then a line for each item that comes, changes or goes. The feed only says that there is news: what
 * is printed is what the inbox holds then, so nothing is missed over a restart of the daemon. Ends by an error only:
 * cancelled, or daemon.unreachable when the daemon stays away.
 */
export async function watchInbox(ctx: Ctx, query: InboxQuery): Promise<void> {
  const api = await ctx.api();
  // First the feed's end, then the list: what happens in between is told twice, never not at all.
  const { feedSeq: after } = await api.status();
  let known = await show(ctx, query);
  const feed = followFeed(api, { after, signal: ctx.signal, clock: ctx.clock, ...awayHooks(ctx) });
  for await (const message of feed) {
    if (message.kind === "entry" && !message.entry.type.startsWith(FEED_PREFIX)) continue;
    const { items, next } = await api.listInbox(query);
    const now = new Map(items.map((item) => [item.id, item]));
    const oldest = next === null ? "" : (items.at(-1)?.id ?? "");
    for (const item of [...known.values()].filter(({ id }) => !now.has(id) && id > oldest)) await tellGone(ctx, item);
    for (const item of items.toReversed()) {
      if (known.get(item.id)?.changedAt !== item.changedAt) await tell(ctx, item);
    }
    known = now;
  }
}

async function show(ctx: Ctx, query: InboxQuery): Promise<Map<string, ApiInboxItem>> {
  const { items } = await (await ctx.api()).listInbox(query);
  if (ctx.json) for (const item of items.toReversed()) await ctx.printJson(item, { line: true });
  else if (items.length === 0) await ctx.note("nothing waits for you; ^C to end");
  else await ctx.print(...renderInbox(items, { ...renderOptionsOf(ctx), states: query.state !== "open" }));
  return new Map(items.map((item) => [item.id, item]));
}

async function tell(ctx: Ctx, item: ApiInboxItem): Promise<void> {
  if (ctx.json) await ctx.printJson(item, { line: true });
  else await ctx.print(renderChange(item, ctx));
}

/** An item that is not among those asked for any more: what has become of it. */
async function tellGone(ctx: Ctx, { id }: ApiInboxItem): Promise<void> {
  try {
    await tell(ctx, await (await ctx.api()).showItem(id));
  } catch (caught) {
    if (!hasCode(caught, "inbox.not_found")) throw caught;
  }
}
