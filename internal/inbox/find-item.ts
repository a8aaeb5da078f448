import { AppError } from "../base/index.ts";
import type { InboxItem } from "../job/index.ts";
import type { InboxContext } from "./context.ts";

/** By id, or by the only id that starts like this. @throws inbox.not_found, usage.invalid when several do */
export function findItem(ctx: InboxContext, idOrPrefix: string): InboxItem {
  const text = idOrPrefix.toLowerCase();
  const found = /^[0-9a-z]{1,26}$/.test(text) ? ctx.store.items.findByPrefix(text, 2) : [];
  const [first, second] = found;
  if (first && !second) return first;
  if (!first) throw notFound(idOrPrefix);
  throw new AppError({
    code: "usage.invalid",
    message: `several items start with ${idOrPrefix}`,
    hint: "give more of the id; see lane inbox",
  });
}

/** There is no such item, or none that the caller may see: the same words for both. */
export function notFound(id: string): AppError {
  return new AppError({
    code: "inbox.not_found",
    message: `there is no inbox item ${id.slice(0, 64)}`,
    hint: "see lane inbox",
  });
}
