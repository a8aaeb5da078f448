import type { RouteName } from "../router.ts";
import { Inbox } from "./inbox.tsx";
import { LaneScreen } from "./lane.tsx";
import { Lanes } from "./lanes.tsx";
import { lazy, type Screen } from "./screen.ts";

/** The screen of each address. What is seldom needed is loaded with its first use. */
export const SCREENS: Readonly<Record<RouteName, Screen>> = {
  inbox: Inbox,
  lanes: Lanes,
  lane: LaneScreen,
  changes: lazy(async () => (await import("./changes.tsx")).Changes),
  logs: lazy(async () => (await import("./logs.tsx")).Logs),
  drift: lazy(async () => (await import("./drift.tsx")).Drift),
  terminal: lazy(async () => (await import("./terminal.tsx")).Terminal),
  health: lazy(async () => (await import("./health.tsx")).Health),
};
