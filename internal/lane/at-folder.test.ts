import { describe, expect, it } from "vitest";
import { laneAt, workspaceAt } from "./at-folder.ts";

describe("a folder", () => {
  const workspaces = [{ path: "/src" }, { path: "/src/shop" }];

  it.each([
    ["/src/shop", "/src/shop"],
    ["/src/shop/deep/er", "/src/shop"],
    ["/src/shop.lanes/fix/x", "/src/shop"],
    ["/src/shopping", "/src"],
    ["/src/..x", "/src"],
    ["/other", undefined],
  ])("%s is in workspace %s", (folder, path) => {
    expect(workspaceAt(workspaces, folder)?.path).toBe(path);
  });

  it("is in the lane whose worktree holds it, the innermost one", () => {
    const lanes = [{ worktree: "/w/a" }, { worktree: "/w/a/nested" }];
    expect(laneAt(lanes, "/w/a/nested/x")?.worktree).toBe("/w/a/nested");
    expect(laneAt(lanes, "/w/ab")).toBeNull();
  });
});
