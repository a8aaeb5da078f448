import type { ApiLane } from "../../protocol/index.ts";
import type { App } from "../app.ts";
import { type RouteName, toPath } from "../router.ts";
import { useKeys } from "./hooks.ts";

/** The keys that go to the previous and the next lane by name, to the same screen of it. */
export function useNeighbours(app: App, lane: ApiLane, screen: RouteName): void {
  const go = (by: 1 | -1) => {
    const order = [...(app.store.lanes.value?.values() ?? [])].sort((a, b) => a.name.localeCompare(b.name));
    const next = order[order.findIndex((one) => one.id === lane.id) + by];
    return next ? app.router.go(toPath(screen, { id: next.id })) : false;
  };
  useKeys(app, { "lane.previous": () => go(-1), "lane.next": () => go(1) });
}
