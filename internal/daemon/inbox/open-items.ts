import type { InboxItem, InboxKind } from "../../job/index.ts";

/** Items that say that a person is still to do something in the lane. Finished work that waits for a look is none. */
const KEEPING: ReadonlySet<InboxKind> = new Set(["question", "approval", "failed", "lost", "login", "diverged"]);

/** Why the open items of a lane keep it from going; null when none does. */
export function whyOpen(items: readonly Pick<InboxItem, "kind" | "title">[]): string | null {
  const item = items.find(({ kind }) => KEEPING.has(kind));
  return item === undefined
    ? null
    : `its inbox has an open item (${item.kind}: ${JSON.stringify(item.title.slice(0, 80))})`;
}
