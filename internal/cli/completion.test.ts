import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  runLane,
  type ScriptedDaemon,
  sampleItem,
  sampleJob,
  sampleLane,
  sampleWorkspace,
  startScriptedDaemon,
} from "./testing.ts";

const HOSTILE = "$(touch pwned) `touch pwned` ; '\"\u001b[31m";

let daemon: ScriptedDaemon;
beforeEach(async () => {
  daemon = await startScriptedDaemon({
    "GET /v1/lanes": () => ({ body: [sampleLane(), sampleLane({ id: "other-1", name: "other" })] }),
    "GET /v1/jobs": () => ({ body: [sampleJob({ argv: [HOSTILE] })] }),
    "GET /v1/workspaces": () => ({ body: [sampleWorkspace()] }),
    "GET /v1/inbox": () => ({ body: { items: [sampleItem({ title: HOSTILE })], next: null, open: 1 } }),
  });
});
afterEach(() => daemon[Symbol.asyncDispose]());

/** Candidates for the last word of a line, without what they mean. */
async function complete(line: string, socket = daemon.socket): Promise<readonly string[]> {
  const words = line.split(" ").slice(1);
  const { code, stdout, stderr } = await runLane(["__complete", "--", ...words], { socket });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.split("\n").flatMap((candidate) => candidate.split("\t")[0] || []);
}

describe("what is completed", () => {
  it.each([
    ["lane sta", ["status", "start"]],
    ["lane job c", ["cancel"]],
    ["lane show ", ["fix", "other"]],
    ["lane show o", ["other"]],
    ["lane --json show f", ["fix"]],
    ["lane show --workspace ", ["shop"]],
    ["lane show -w shop f", ["fix"]],
    ["lane job cancel 01j", [sampleJob().id]],
    ["lane answer ", [sampleItem().id]],
    ["lane done 01kabcdefg0000000000000001 ", [sampleItem().id]],
    ["lane inbox --kind l", ["lost", "login", "limit"]],
    ["lane inbox --la", ["--lane"]],
    ["lane inbox --lane=o", ["--lane=other"]],
    // As bash splits it.
    ["lane inbox --lane = o", ["other"]],
    ["lane ls --color a", ["auto", "always"]],
    ["lane plan fix --for re", ["restart", "recreate", "remove"]],
    ["lane completion z", ["zsh"]],
    ["lane run fix -- l", []],
    ["lane show fix ", []],
    ["lane run --file ", [":files"]],
    ["lane workspace add ", [":files"]],
    ["lane nothing of the kind", []],
  ])("%s", async (line, candidates) => {
    expect(await complete(line)).toEqual(candidates);
  });

  it("offers every verb that the help shows, and none that is hidden", async () => {
    const verbs = await complete("lane ");
    expect(verbs).toEqual(expect.arrayContaining(["up", "add", "inbox", "answer", "completion", "service", "help"]));
    expect(verbs.filter((verb) => verb.startsWith("_") || verb === "demo")).toEqual([]);
  });

  it("answers nothing, and says nothing, where no daemon is; nor does it start one", async () => {
    await daemon.stop();
    expect(await complete("lane show ")).toEqual([]);
    expect(await complete("lane sho")).toEqual(["show"]);
  });

  it("has no script for a shell it does not know", async () => {
    expect((await runLane(["completion", "csh"], { socket: daemon.socket })).code).toBe(2);
  });
});
