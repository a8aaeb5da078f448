import { describe, expect, it } from "vitest";
import { type Bench, makeBench } from "./testing.ts";
import { callRoute as call } from "./testing-call.ts";
import { makeLane } from "./testing-values.ts";

const LANE = "demo-1111111111";

describe("naming a lane", () => {
  const names = async (bench: Bench, ref: string, workspace?: string) => {
    const path = `/v1/lanes/${encodeURIComponent(ref)}${workspace === undefined ? "" : `?workspace=${workspace}`}`;
    const { status, json } = await call(bench, "GET", path);
    const { id, code, detail, hint, details } = json as Record<string, string>;
    return { status, id, code, detail, hint, details };
  };
  const bench = makeBench();
  bench.lanes.push(
    makeLane({ id: "demo-2222222222", workspaceId: "ws2" }),
    makeLane({ id: "demo-two-333333", name: "demo-two" }),
    makeLane({ id: "Fix-4", name: "Fix" }),
    makeLane({ id: "fix-later-5", name: "fix-later" }),
  );

  it.each([
    ["an id", LANE, undefined, LANE],
    ["an exact name that begins another", "Fix", undefined, "Fix-4"],
    ["a unique beginning of a name", "demo-t", undefined, "demo-two-333333"],
    ["a unique beginning of an id", "demo-22", undefined, "demo-2222222222"],
    ["a name that the workspace decides", "demo", "blog", "demo-2222222222"],
    ["a beginning that the workspace decides", "de", "blog", "demo-2222222222"],
    ["a name that a folder decides", "demo", "/src/blog.lanes/x/y", "demo-2222222222"],
    ["a unique name, from a folder outside all workspaces", "demo-two", "/elsewhere", "demo-two-333333"],
    ["a name outside the preferred workspace", "demo-two", "blog", "demo-two-333333"],
  ])("%s", async (_, ref, workspace, id) => {
    expect(await names(bench, ref, workspace)).toMatchObject({ status: 200, id });
  });

  it("lists the candidates of an ambiguous name", async () => {
    expect(await names(bench, "demo")).toMatchObject({
      status: 409,
      code: "lane.ambiguous",
      detail: '"demo" may be shop/demo (demo-1111111111), blog/demo (demo-2222222222)',
      hint: "name the workspace too, or use the lane's id",
      details: { candidates: [{ id: LANE, name: "demo", workspace: "shop" }, { id: "demo-2222222222" }] },
    });
    expect(await names(bench, "dem", "shop")).toMatchObject({ code: "lane.ambiguous", hint: "write more of the name" });
  });

  it("suggests what was meant, and never guesses", async () => {
    expect(await names(bench, "dmeo-two")).toMatchObject({
      status: 404,
      code: "lane.not_found",
      hint: "did you mean demo-two?",
    });
    expect(await names(bench, "zzz")).toMatchObject({ code: "lane.not_found", hint: "see lane ls" });
    expect(await names(bench, "demo", "shpo")).toMatchObject({
      code: "workspace.not_found",
      hint: "did you mean shop?",
    });
    expect(await names(bench, "../demo")).toMatchObject({ code: "lane.not_found" });
  });

  it("a new lane needs a workspace where there are several", async () => {
    expect((await call(bench, "POST", "/v1/lanes", { name: "x" })).json).toMatchObject({
      code: "request.invalid",
      detail: "there are 2 workspaces, and none is named: shop, blog",
    });
    const from = async (workspace: string) =>
      (await call(bench, "POST", "/v1/lanes", { name: "../x", workspace })).json;
    expect(await from("/elsewhere")).toMatchObject({ code: "request.invalid" });
    for (const named of ["shop", "/src/shop/deep"])
      expect(await from(named)).toMatchObject({ code: "lane.invalid_name" });
  });
});
