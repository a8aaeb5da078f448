import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addWorktree } from "./add-worktree.ts";
import { ATTACK_CORPUS, makeOutside, type Outside } from "./attack-corpus.ts";
import { describeRepository } from "./describe-repository.ts";
import { countOnlyInLane, countUnimported, removeLaneRefs } from "./lane-refs.ts";
import { hasOwnConfig, laneConfig, seedOfLane } from "./lane-seed.ts";
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
});
afterEach(() => t.dispose());

/** A plant may break git as well: what counts is the harm. */
const attempt = async (act: () => unknown): Promise<void> => {
  try {
    await act();
  } catch {
    // harmless
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
  await attempt(() => countOnlyInLane(t.git, at));
  await attempt(() => countUnimported(t.git, { ...at, branch: "lane1" }));
  await attempt(() => removeWorktree(t.git, { repo: t, path, force: false }));
  await attempt(() => removeWorktree(t.git, { repo: t, path, force: true }));
  await attempt(() => removeLaneRefs(t.git, at));
}

/** What is not the lane's: other branches and work trees, and the settings. */
const others = () => [
  t.raw(t.path, "for-each-ref", "refs/heads/main", "refs/heads/sibling", "refs/tags", "refs/lanes/sibling"),
  existsSync(join(t.gitDir, "worktrees", "sibling", "HEAD")),
  t.raw(t.path, "config", "--local", "--list"),
];

describe("the attack corpus", () => {
  it.each(ATTACK_CORPUS)("$name: does no harm to a host whose lanes have a git dir of their own", async ({ plant }) => {
    const before = others();
    lane.inside("commit", "--quiet", "--allow-empty", "-m", "work");
    const agent = (cwd: string, ...args: string[]) =>
      cwd === lane.worktree && args[0] !== "init" ? lane.inside(...args) : t.raw(cwd, ...args);
    plant({ worktree: lane.worktree, gitDir: lane.private, common: lane.private, agent }, outside);
    expect(outside.harm()).toEqual([]);
    await callProduct();
    expect([outside.harm(), others()]).toEqual([[], before]);
    // The calls did their work meanwhile: the agent's commits are on the host.
    expect(t.raw(t.path, "log", "-1", "--format=%s", "lane1")).toMatch(/^(work|a module)$/);
  });

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
