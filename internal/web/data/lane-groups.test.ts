import { describe, expect, it } from "vitest";
import { LANE_PHASES } from "../../lane/index.ts";
import type { ApiLane } from "../../protocol/index.ts";
import { groupLanes, groupOf, toneOf } from "./lane-groups.ts";

function lane(name: string, more: Partial<ApiLane> = {}): ApiLane {
  return { id: name, name, desired: "up", state: "ready", job: null, ...more } as ApiLane;
}

describe("groups of lanes", () => {
  it.each([
    [lane("a"), 0, "idle"],
    [lane("a", { job: "j" }), 0, "running"],
    [lane("a", { job: "j" }), 1, "needs you"],
    [lane("a", { state: "failed" }), 0, "broken"],
    [lane("a", { state: "unknown", job: "j" }), 0, "broken"],
    [lane("a", { state: "stopped" }), 0, "stopped"],
    [lane("a", { state: "draining", desired: "stopped", job: "j" }), 0, "running"],
    [lane("a", { state: "absent", desired: "stopped" }), 0, "stopped"],
    [lane("a", { state: "starting" }), 0, "idle"],
  ])("case %#", (one, waiting, group) => {
    expect(groupOf(one, waiting)).toBe(group);
  });

  it("puts those that need a person first, sorted by name, and leaves out empty groups", () => {
    const groups = groupLanes([lane("b"), lane("a"), lane("z", { state: "failed" })], new Map([["b", 2]]));
    expect(groups.map(([group, members]) => [group, members.map((one) => one.name)])).toEqual([
      ["needs you", ["b"]],
      ["idle", ["a"]],
      ["broken", ["z"]],
    ]);
  });

  it("has a tone for every state", () => {
    expect(LANE_PHASES.map(toneOf).join(" ")).toBe("quiet busy busy busy good warn warn busy quiet warn bad warn");
  });
});
