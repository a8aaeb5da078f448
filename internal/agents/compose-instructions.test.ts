import { expect, it } from "vitest";
import { composeInstructions } from "./compose-instructions.ts";
import { INBOX_HELP } from "./inbox-help.ts";

const facts = { lane: "fix", branch: "fix/it", workspace: "shop", base: null, ofWorkspace: null, ofLane: null };

it("says where the agent is, and only what is there", () => {
  const text = composeInstructions(facts);
  for (const part of ["lane `fix`", "workspace `shop`", "`fix/it`", "/workspace", "inbox context"])
    expect(text).toContain(part);
  expect(composeInstructions({ ...facts, workspace: null })).not.toContain("workspace `");
});

it("puts the base before the workspace's part and the lane's, and leaves out what is blank", () => {
  const all = composeInstructions({ ...facts, base: "\n# B\r\nb\r\n", ofWorkspace: "# W\n", ofLane: "# L" });
  expect(all.startsWith(composeInstructions(facts))).toBe(true);
  expect(all.slice(composeInstructions(facts).length)).toBe("\n# B\nb\n\n# W\n\n# L\n");
  expect(composeInstructions({ ...facts, base: " \n", ofLane: "x" })).toBe(`${composeInstructions(facts)}\nx\n`);
});

it("tells all that `inbox --help` says, which is short", () => {
  expect(composeInstructions(facts)).toContain(`\n${INBOX_HELP}`);
  const lines = INBOX_HELP.trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(25);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});
