import type { Logger } from "pino";
import type { Clock } from "../../base/index.ts";
import type { Inbox } from "../../inbox/index.ts";
import { everyHour } from "../hourly.ts";

/** Removes items that were closed longer than `keepForMs` ago (null: never): looks at once and every hour. */
export function createItemKeeper(deps: {
  readonly inbox: Pick<Inbox, "dropClosed">;
  readonly keepForMs: number | null;
  /** Puts on record how far the feed was read: what is read again would be said again once its item is gone. */
  readonly mark: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}): AsyncDisposable {
  const { inbox, keepForMs, clock, log } = deps;
  return everyHour({ clock, log, op: "drop closed items" }, async (opts) => {
    if (keepForMs === null) return;
    deps.mark();
    const items = await inbox.dropClosed(clock.nowMs() - keepForMs, opts);
    if (items > 0) log.info({ items, keepForMs }, "closed items removed from the inbox");
  });
}
