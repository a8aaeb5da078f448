import { toError } from "../base/index.ts";
import { type InboxItem, isWaiting } from "../job/index.ts";
import type { InboxContext } from "./context.ts";
import { settle } from "./people.ts";

/** Wall time can jump and machines sleep: what is due is looked for again after so long, ms. */
const LOOK_MS = 60_000;
/** Items whose time has come that one commit takes. */
const AT_ONCE = 100;
/** Wait before a store that refused is tried again, ms. */
const RETRY_MS = 5000;

/** Ends snoozes and questions when their time has come, over restarts. */
export interface Expiry extends Disposable {
  /** Something may be due at another time than before. Also starts it. Never throws. */
  look(): void;
}

/** See {@link Expiry}. */
export function createExpiry(ctx: InboxContext): Expiry {
  let cancel = () => {};
  let isOver = false;
  const arm = (ms: number) => {
    cancel();
    if (!isOver) cancel = ctx.clock.timer(Math.min(Math.max(ms, 0), LOOK_MS), work);
  };
  const work = () => {
    try {
      const nowMs = ctx.clock.nowMs();
      ctx.commit(() => {
        for (const item of ctx.store.items.listDue(nowMs, AT_ONCE)) endTime(ctx, item, nowMs);
      });
      look();
    } catch (caught) {
      ctx.log.error({ err: toError(caught) }, "items that are due could not be ended; it is tried again");
      arm(RETRY_MS);
    }
  };
  const look = () => {
    try {
      const dueMs = ctx.store.items.nextDueMs();
      if (dueMs === null) cancel();
      else arm(dueMs - ctx.clock.nowMs());
    } catch (caught) {
      ctx.log.error({ err: toError(caught) }, "what is due next could not be read; it is tried again");
      arm(RETRY_MS);
    }
  };
  return {
    look,
    [Symbol.dispose]: () => {
      isOver = true;
      cancel();
    },
  };
}

/** The default is the answer, or there is none; a snooze that is over only wakes it, as news. */
function endTime(ctx: InboxContext, item: InboxItem, nowMs: number): void {
  if (!isWaiting(item.state)) return;
  if (item.expiresAtMs === null || item.expiresAtMs > nowMs) {
    ctx.apply({ ...item, isRead: false }, { type: "wake" });
    return;
  }
  const { fallback } = item;
  const next = ctx.apply(
    item,
    fallback === null
      ? { type: "expire", atMs: nowMs }
      : { type: "answer", answer: fallback, by: "default", atMs: nowMs },
  );
  if (next) settle(ctx, next, fallback ?? "");
}
