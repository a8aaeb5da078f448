import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addWorktree } from "./add-worktree.ts";
import { ATTACK_CORPUS, HOSTILE_TREES, makeOutside, type Outside } from "./attack-corpus.ts";
import { describeRepository } from "./describe-repository.ts";
import { diffLane } from "./lane-diff.ts";
import { countOnlyInLane, countUnimported, removeLaneRefs } from "./lane-refs.ts";
import { hasOwnConfig, laneConfig, seedOfLane } from "./lane-seed.ts";
import { laneTip } from "./lane-tip.ts";
import { mergeLane } from "./merge-lane.ts";
import { pushBranch } from "./push-branch.ts";
import { removeWorktree, worktreeLosses } from "./remove-worktree.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { makeTestLane, type TestLane } from "./testing-lane.ts";
import { worktreeStatus } from "./worktree-status.ts";

let t: TestRepo;
let outside: Outside;
let lane: TestLane;
beforeEach(async () => {
  t = makeTestRepo();
  outside = makeOutside(t.root);
  lane = await makeTestLane(t);
  await makeTestLane(t, "sibling");
  // Where merges go: a branch that a developer has checked out.
  t.raw(t.path, "worktree", "add", "--quiet", "-b", "target", join(t.root, "target"));
});
afterEach(() => t.dispose());

/** Some hundred processes each, on a machine that has others to run. */
const SLOW_MS = 60_000;

/** A plant may break git as well: what counts is the harm. */
const attempt = async (act: () => unknown): Promise<void> => {
  try {
    await act();
  } catch {
    // harmless
  }
};

const attemptSync = (act: () => unknown): void => {
  try {
    act();
  } catch {
    // git did not take all of it
  }
};

/** Every call of git that the product makes on the host for a lane. */
async function callProduct(): Promise<void> {
  const at = { gitDir: t.gitDir, lane: "lane1" };
  const { worktree: path } = lane;
  await attempt(() => describeRepository(t.git, t.path, {}));
  await attempt(() => describeRepository(t.git, path, {}));
  await attempt(() => describeRepository(t.git, join(path, "nested"), {}));
  await attempt(() => hasOwnConfig({ repo: t, worktree: path }));
  const config = await laneConfig(t.git, { repo: t });
  await attempt(() => laneConfig(t.git, { repo: t, worktree: path }));
  await attempt(() => addWorktree(t.git, { repo: t, path, branch: "lane1", from: "HEAD" }));
  await attempt(() =>
    seedOfLane({ repo: t, lane: "lane1", branch: "lane1", worktree: path, objectsInLane: "/o", config }),
  );
  await attempt(() => worktreeStatus(t.git, { repo: t, path, base: "main" }));
  await attempt(() => lane.sync());
  // Both ways of bringing the index up to date, and a commit of the host on the way to the lane.
  t.write(join(path, "a.txt"), "eno\n");
  await attempt(() => lane.sync());
  await attempt(() => worktreeLosses(t.git, { repo: t, path }));
  await compareAndMerge();
  await attempt(() => pushBranch(t.git, { gitDir: t.gitDir, branch: "lane1" }));
  await attempt(() => countOnlyInLane(t.git, at));
  await attempt(() => countUnimported(t.git, { ...at, branch: "lane1" }));
  await attempt(() => removeWorktree(t.git, { repo: t, path, force: false }));
  await attempt(() => removeWorktree(t.git, { repo: t, path, force: true }));
  await attempt(() => removeLaneRefs(t.git, at));
}

/** Comparing, with a patch, and merging in every way: into a branch that is checked out, too. */
async function compareAndMerge(): Promise<void> {
  const { gitDir } = t;
  const head = await laneTip({ gitDir, lane: "lane1", branch: "lane1" });
  if (head === null) throw new Error("the lane's branch is gone");
  const scratch = join(t.root, "scratch");
  const wanted = { gitDir, worktree: lane.worktree, base: "main", head: Promise.resolve(head), scratch };
  for (const patch of ["none", "text", "whole"] as const) {
    const seen = await diffLane(t.git, { ...wanted, patch }).catch((error: Error) => ({ patch: error.message }));
    if (seen.patch?.includes("untouched")) throw new Error("the victim was shown");
  }
  await attempt(() => diffLane(t.git, { ...wanted, base: "--output=victim", patch: "text", path: "--ext-diff" }));
  const into = { gitDir, lane: "lane1", head, into: "target", ofLanes: [lane.worktree], scratch };
  for (const strategy of ["ff", "merge", "squash"] as const) {
    for (const dryRun of [true, false]) {
      await attempt(() => mergeLane(t.git, { ...into, strategy, dryRun, allowFlagged: true }));
    }
  }
}

/** What is not the lane's: other branches and work trees, and the settings. */
const others = () => [
  t.raw(t.path, "for-each-ref", "refs/heads/main", "refs/heads/sibling", "refs/tags", "refs/lanes/sibling"),
  existsSync(join(t.gitDir, "worktrees", "sibling", "HEAD")),
  t.raw(t.path, "config", "--local", "--list"),
];

/** What a developer, or their editor, asks plain git in the lane's work tree. */
async function typeInWorktree(): Promise<void> {
  const texts = ["status", "status -uall", "diff", "diff HEAD", "add -A", "stash", "commit -am x", "checkout -q HEAD^"];
  for (const text of texts) await attempt(() => t.raw(lane.worktree, ...text.split(" ")));
}

describe("the attack corpus", () => {
  it.each(ATTACK_CORPUS)(
    "$name: does no harm to a host whose lanes have a git dir of their own",
    async ({ plant }) => {
      const before = others();
      lane.inside("commit", "--quiet", "--allow-empty", "-m", "work");
      const agent = (cwd: string, ...args: string[]) =>
        cwd === lane.worktree && args[0] !== "init" ? lane.inside(...args) : t.raw(cwd, ...args);
      plant({ worktree: lane.worktree, gitDir: lane.private, common: lane.private, agent }, outside);
      expect(outside.harm()).toEqual([]);
      await callProduct();
      expect([outside.harm(), others()]).toEqual([[], before]);
      // The calls did their work meanwhile: the agent's commits are on the host, and in the developer's branch.
      expect(t.raw(t.path, "rev-list", "--count", "target..lane1")).toBe("0");
      expect(t.raw(t.path, "log", "-1", "--format=%s", "lane1")).toMatch(/^(work|a module)$/);
    },
    SLOW_MS,
  );

  it.each(HOSTILE_TREES)(
    "$name: harms nobody who compares or merges, and takes no time",
    async ({ plant }) => {
      const before = others();
      lane.inside("commit", "--quiet", "--allow-empty", "-m", "work \u001b]0;title\u0007");
      const agent = (cwd: string, ...args: string[]) => t.raw(cwd, ...args);
      plant({ worktree: lane.worktree, gitDir: lane.private, common: lane.private, agent }, outside);
      await lane.sync();
      const started = performance.now();
      await compareAndMerge();
      expect(performance.now() - started).toBeLessThan(20_000);
      // The same once more with all of it committed, as far as git takes it.
      attemptSync(() =>
        lane.inside("-c", "core.bigFileThreshold=1", "add", "--all", "--ignore-errors", "--", ".", ":!endless"),
      );
      lane.inside("commit", "--quiet", "--allow-empty", "-m", "--amend");
      await lane.sync();
      await compareAndMerge();
      expect([outside.harm(), others()]).toEqual([[], before]);
      expect(t.raw(t.path, "rev-list", "--count", "target..lane1")).toBe("0");
      expect(t.raw(join(t.root, "target"), "status", "--porcelain")).toBe("");
    },
    SLOW_MS,
  );

  it.each(ATTACK_CORPUS.filter(({ typed }) => typed))(
    "$name: does no harm to who types plain git in the worktree",
    async ({ plant }) => {
      const agent = (cwd: string, ...args: string[]) =>
        cwd === lane.worktree && args[0] !== "init" ? lane.inside(...args) : t.raw(cwd, ...args);
      plant({ worktree: lane.worktree, gitDir: lane.private, common: lane.private, agent }, outside);
      expect(await lane.sync()).toMatchObject({ held: null, diverged: false });
      expect(t.raw(lane.worktree, "status", "--porcelain")).toBe("");
      await typeInWorktree();
      expect(outside.harm()).toEqual([]);
    },
    SLOW_MS,
  );

  it.each(ATTACK_CORPUS)("$name: control: harms whoever shares the repository's .git", async ({ plant }) => {
    const own = join(t.gitDir, "worktrees", "lane1");
    const agent = (cwd: string, ...args: string[]) => t.raw(cwd, ...args);
    plant({ worktree: lane.worktree, gitDir: own, common: t.gitDir, agent }, outside);
    // What a developer types in the worktree, and what git does by itself.
    writeFileSync(join(lane.worktree, "a.txt"), "eno\n");
    for (const args of [
      ["status"],
      ["add", "a.txt"],
      ["commit", "--quiet", "-m", "x"],
      ["fetch", "--quiet", ".", "main"],
      ["worktree", "prune", "--expire=now"],
    ]) {
      await attempt(() => t.raw(lane.worktree, ...args));
    }
    await attempt(() => t.raw(join(lane.worktree, "nested"), "status"));
    const lost = existsSync(join(own, "HEAD")) ? [] : ["entry lost"];
    expect([...outside.harm(), ...lost]).not.toEqual([]);
  });
});
