import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { AppError } from "../../base/index.ts";
import { makeTestRepo, type TestRepo } from "../../git/testing.ts";
import { makeTestLane, type TestLane } from "../../git/testing-lane.ts";
import { DEFAULT_SETTINGS, type Lane } from "../../lane/index.ts";
import type { LaneGit, LaneHoldings } from "../../workerlink/index.ts";
import { createLossesDesk, type LossesDeps } from "./lane-losses.ts";

let t: TestRepo;
let made: TestLane;
let lane: Lane;
let holdings: LaneHoldings;
beforeEach(async () => {
  t = makeTestRepo();
  made = await makeTestLane(t);
  lane = {
    ...{ id: "l-1", name: made.name, workspaceId: "w", branch: made.name, worktree: made.worktree },
    ...{ desired: "up", settings: DEFAULT_SETTINGS, generation: 1, createdAtMs: 0 },
  };
  holdings = { branches: [], more: false, detached: null, stashes: 0 };
});
afterEach(() => t.dispose());

const desk = (change: Partial<LossesDeps> = {}) =>
  createLossesDesk({
    git: t.git,
    gitDesk: { linked: () => true, sync: () => made.sync() },
    privateGit: () => ({ look: async () => holdings }) as unknown as LaneGit,
    everRan: () => true,
    isStopped: () => false,
    ...change,
  });
const lostOf = async (change: Partial<LossesDeps> = {}) => (await desk(change).of(lane, t, {})).lost;
const unlinked = { linked: () => false, sync: () => Promise.reject(new Error("not linked")) };

it("finds nothing to lose in a lane whose commits have come over, and takes them over first", async () => {
  made.inside("commit", "--quiet", "--allow-empty", "-m", "mine");
  expect(await desk().of(lane, t, {})).toEqual({ lost: [], ignored: 0, keepsWorktree: false });
  expect(t.raw(t.path, "log", "-1", "--format=%s", made.name)).toBe("mine");
});

it("names files, stashes, branches and loose commits, and counts what is ignored", async () => {
  const tip = made.inside("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "loose");
  const known = t.raw(t.path, "rev-parse", "main");
  writeFileSync(join(made.worktree, ".gitignore"), "*.log\n");
  writeFileSync(join(made.worktree, "x.log"), "");
  holdings = {
    branches: [
      { name: made.name, tip },
      { name: 'a"b', tip },
      { name: "main", tip: known },
    ],
    more: true,
    detached: tip,
    stashes: 2,
  };
  expect(await desk().of(lane, t, {})).toEqual({
    lost: [
      "1 untracked path (.gitignore)",
      "2 stash entries",
      '1 branch only in the lane ("a\\"b")',
      "commits on no branch of the lane",
      "more branches of the lane than were looked at",
    ],
    ignored: 1,
    keepsWorktree: false,
  });
});

it("does not take for safe what cannot be asked for", async () => {
  expect(await lostOf({ gitDesk: unlinked })).toEqual([
    expect.stringContaining("cannot be asked for while it does not"),
  ]);
  expect(await lostOf({ gitDesk: unlinked, everRan: () => false })).toEqual([]);
  expect(await lostOf({ privateGit: () => null })).toEqual([expect.stringContaining("another build")]);
  const failing = {
    linked: () => true,
    sync: () => Promise.reject(new AppError({ code: "timeout", message: "slow" })),
  };
  expect(await lostOf({ gitDesk: failing })).toEqual([expect.stringContaining("(slow)")]);
  const held = { linked: () => true, sync: async () => ({ ...(await made.sync()), held: "locked" }) };
  expect(await lostOf({ gitDesk: held })).toEqual(["commits that cannot be taken over now (locked)"]);
});

it("remembers of a stopped lane that there was nothing, and only as long as it is stopped", async () => {
  let linked = true;
  let stopped = false;
  const losses = desk({
    gitDesk: { linked: () => linked, sync: () => made.sync() },
    isStopped: () => stopped,
  });
  await losses.noteBeforeStop(lane, t, {});
  linked = false;
  expect((await losses.of(lane, t, {})).lost).toHaveLength(1);
  stopped = true;
  expect((await losses.of(lane, t, {})).lost).toEqual([]);
  linked = true;
  holdings = { ...holdings, stashes: 1 };
  await losses.noteBeforeStop(lane, t, {});
  linked = false;
  expect((await losses.of(lane, t, {})).lost).toHaveLength(1);
});

it("leaves out the files of a worktree that was there before, but not what is only in the lane's git dir", async () => {
  rmSync(join(t.gitDir, "worktrees", made.name, "lanekeeper-start"));
  writeFileSync(join(made.worktree, "new"), "");
  holdings = { ...holdings, stashes: 1 };
  expect(await desk().of(lane, t, {})).toEqual({ lost: ["1 stash entry"], ignored: 0, keepsWorktree: true });
});
