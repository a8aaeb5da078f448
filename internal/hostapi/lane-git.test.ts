import { beforeEach, describe, expect, it } from "vitest";
import { type Bench, makeBench } from "./testing.ts";

let bench: Bench;
beforeEach(() => {
  bench = makeBench();
});

describe("diff and merge of a lane", () => {
  it("hand on what was asked for", async () => {
    const diff = await bench.request("GET", "/v1/lanes/demo/diff?stat=1&base=v1&path=a%2Fb");
    expect([diff.status, await diff.json()]).toMatchObject([200, { patch: null }]);
    await bench.request("GET", "/v1/lanes/demo/diff?binary=true");
    const merge = await bench.request("POST", "/v1/lanes/demo/merge", { into: "x", strategy: "squash", dryRun: true });
    expect([merge.status, await merge.json()]).toMatchObject([200, { into: "x", dryRun: true }]);
    expect(bench.calls.filter(([name]) => name.startsWith("git.")).map((call) => call.slice(0, 3))).toMatchObject([
      ["git.diff", "demo-1111111111", { stat: true, binary: false, base: "v1", path: "a/b" }],
      ["git.diff", "demo-1111111111", { stat: false, binary: true }],
      ["git.merge", "demo-1111111111", { into: "x", strategy: "squash", dryRun: true }],
    ]);
  });

  it.each([
    ["GET", "/v1/lanes/demo/diff?paths=a", undefined, 400],
    ["GET", "/v1/lanes/demo/diff?stat=yes", undefined, 400],
    ["GET", "/v1/lanes/nope/diff", undefined, 404],
    ["POST", "/v1/lanes/demo/merge", { strategy: "force" }, 400],
    ["POST", "/v1/lanes/demo/merge", { intoo: "x" }, 400],
  ])("%s %s %j: %s", async (method, path, body, status) => {
    expect((await bench.request(method, path, body)).status).toBe(status);
  });
});
