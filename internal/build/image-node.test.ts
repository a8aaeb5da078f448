import { describe, expect, it } from "vitest";
import { parseNodeVersion } from "./image-node.ts";

const inspect = (config: unknown) => JSON.stringify([{ Id: "x", Config: config }]);

describe("the Node of an image", () => {
  it.each([
    ["our label", { Labels: { "io.lanekeeper.node": "v20.20.2" } }, "v20.20.2"],
    [
      "the label before the variable",
      { Labels: { "io.lanekeeper.node": "v22.1.0" }, Env: ["NODE_VERSION=20.1.0"] },
      "v22.1.0",
    ],
    [
      "the variable of the public Node images",
      { Env: ["PATH=/bin", "NODE_VERSION=20.19.4"], Labels: null },
      "v20.19.4",
    ],
    ["no version at all", { Labels: {}, Env: ["A=1"] }, null],
    ["a label that is none", { Labels: { "io.lanekeeper.node": "newest" } }, null],
    ["an image without configuration", undefined, null],
  ])("is read from %s", (_from, config, version) => {
    expect(parseNodeVersion(inspect(config))).toBe(version);
  });
});
