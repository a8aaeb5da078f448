import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { countMissingLfs } from "./lfs-objects.ts";
import { renderPointer } from "./lfs-pointer.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { makeTestLane, type TestLane } from "./testing-lane.ts";

let t: TestRepo;
let lane: TestLane;
let start: string;
beforeEach(async () => {
  t = makeTestRepo();
  lane = await makeTestLane(t);
  start = t.raw(t.path, "rev-parse", "lane1");
});
afterEach(() => t.dispose());

const oidOf = (text: string) => createHash("sha256").update(text).digest("hex");
const inStore = (text: string) =>
  join(t.gitDir, "lfs/objects", oidOf(text).slice(0, 2), oidOf(text).slice(2, 4), oidOf(text));
const missing = (from: string | null = start) =>
  countMissingLfs(t.git, { gitDir: t.gitDir, tip: t.raw(t.path, "rev-parse", "lane1"), branch: "lane1", start: from });
/** Commits a pointer in the lane, as git-lfs does, and leaves this in the work tree. */
const commit = (name: string, text: string, left: string | null = text) => {
  t.write(join(lane.worktree, name), renderPointer({ oid: oidOf(text), size: Buffer.byteLength(text) }));
  lane.inside("add", name);
  lane.inside("commit", "--quiet", "-m", name);
  rmSync(join(lane.worktree, name));
  if (left !== null) t.write(join(lane.worktree, name), left);
};

it("brings what the work tree has into the repository's store, and counts what it has not", async () => {
  commit("deep/a.bin", "first");
  await lane.sync();
  expect(readFileSync(inStore("first"), "utf8")).toBe("first");
  expect(readdirSync(join(t.gitDir, "lfs/objects"))).toEqual([oidOf("first").slice(0, 2)]);
  expect(await missing()).toBe(0);
  commit("b.bin", "old");
  commit("b.bin", "new");
  await lane.sync();
  expect([existsSync(inStore("old")), existsSync(inStore("new"))]).toEqual([false, true]);
  expect([await missing(), await missing(null)]).toEqual([1, 1]);
  t.raw(t.path, "update-ref", "refs/remotes/origin/lane1", "lane1");
  expect(await missing()).toBe(0);
});

it("takes nothing that is not what its pointer names, and follows no link", async () => {
  commit("a.bin", "right", "wrong");
  commit("b.bin", "same\n", null);
  writeFileSync(join(t.root, "foreign"), "same\n");
  symlinkSync(join(t.root, "foreign"), join(lane.worktree, "b.bin"));
  await lane.sync();
  expect([existsSync(inStore("right")), existsSync(inStore("same\n"))]).toEqual([false, false]);
  expect(readdirSync(join(t.gitDir, "lfs/objects"))).toEqual([oidOf("right").slice(0, 2)]);
  expect(await missing()).toBe(2);
});

it("leaves a repository without git-lfs alone", async () => {
  commit("a.txt", "x".repeat(2000), null);
  lane.inside("reset", "--quiet", "--hard", start);
  t.write(join(lane.worktree, "a.txt"), "text\n");
  lane.inside("commit", "--quiet", "-am", "text");
  await lane.sync();
  expect([existsSync(join(t.gitDir, "lfs")), await missing()]).toEqual([false, 0]);
});
