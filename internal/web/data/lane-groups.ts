import type { ApiLane } from "../../protocol/index.ts";

/** Groups of lanes, in the order in which they are shown. */
const LANE_GROUPS = ["needs you", "running", "idle", "stopped", "broken"] as const;

type LaneGroup = (typeof LANE_GROUPS)[number];

/** The group of a lane. `waiting`: how many open items are about it. What needs a person comes before what is broken. */
export function groupOf(lane: ApiLane, waiting: number): LaneGroup {
  if (waiting > 0) return "needs you";
  if (lane.state === "failed" || lane.state === "unknown") return "broken";
  if (lane.job !== null) return "running";
  if (lane.state === "stopped" || lane.state === "stopping" || lane.desired === "stopped") return "stopped";
  return "idle";
}

/** Lanes by group, sorted by name within each; groups that have none are left out. */
export function groupLanes(
  lanes: Iterable<ApiLane>,
  waiting: ReadonlyMap<string, number>,
): readonly (readonly [LaneGroup, readonly ApiLane[]])[] {
  const sorted = [...lanes].sort(byName);
  return LANE_GROUPS.map((group) => {
    return [group, sorted.filter((lane) => groupOf(lane, waiting.get(lane.id) ?? 0) === group)] as const;
  }).filter(([, members]) => members.length > 0);
}

/** How a state looks: its word says it as well, colour never alone. */
export function toneOf(state: string): "good" | "busy" | "warn" | "bad" | "quiet" {
  if (state === "ready" || state === "succeeded") return "good";
  if (state === "failed" || state === "lost") return "bad";
  if (state === "unready" || state === "backoff" || state === "unknown" || state === "draining") return "warn";
  if (["creating", "starting", "probing", "stopping", "dispatching", "accepted", "running"].includes(state))
    return "busy";
  return "quiet";
}

function byName(a: ApiLane, b: ApiLane): number {
  return a.name.localeCompare(b.name) || a.id.localeCompare(b.id);
}
