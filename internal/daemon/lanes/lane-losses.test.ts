import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { AppError } from "../../base/index.ts";
import { renderPointer } from "../../git/lfs-pointer.ts";
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
    runOf: () => null,
    looks: { find: () => null, put: () => {} },
    nowInFeed: () => () => false,
    ...change,
  });
const lostOf = async (change: Partial<LossesDeps> = {}) => (await desk(change).of(lane, t, {})).lost;
const unlinked = { linked: () => false, sync: () => Promise.reject(new Error("not linked")) };

it("finds nothing to lose in a lane whose commits have come over, and takes them over first", async () => {
  made.inside("commit", "--quiet", "--allow-empty", "-m", "mine");
  expect(await desk().of(lane, t, {})).toEqual({ lost: [], ignored: 0, lookedInto: new Set(), keepsWorktree: false });
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
    lookedInto: new Set(),
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

/** A lane that is stopped and whose desk forgets everything but its records. */
function stoppable() {
  const records = new Map<string, ReturnType<LossesDeps["looks"]["find"]>>();
  let linked = true;
  const scene = { run: { id: "c1 100", stopped: false }, hasWorked: false };
  const open = () =>
    desk({
      gitDesk: { linked: () => linked, sync: () => made.sync() },
      runOf: () => scene.run,
      looks: { find: (id) => records.get(id) ?? null, put: (id, look) => void records.set(id, look) },
      nowInFeed: () => () => scene.hasWorked,
    });
  const stop = async () => {
    const keep = await open().lookBeforeStop(lane, {});
    linked = false;
    scene.run = { ...scene.run, stopped: true };
    keep();
  };
  return { scene, stop, lost: async () => (await open().of(lane, t, {})).lost };
}
const unknown = [expect.stringContaining("cannot be asked for while it does not run")];

it("knows of a stopped lane that all of it is in the repository, as long as that is so and nobody starts it", async () => {
  const { scene, stop, lost } = stoppable();
  made.inside("commit", "--quiet", "--allow-empty", "-m", "mine");
  const tip = made.inside("rev-parse", "HEAD");
  holdings = { ...holdings, branches: [{ name: "side", tip }] };
  await stop();
  expect(await lost()).toEqual([]);
  scene.run = { id: "c1 200", stopped: true };
  expect(await lost()).toEqual(unknown);
  scene.run = { id: "c1 100", stopped: true };
  t.raw(t.path, "update-ref", `refs/heads/${made.name}`, "main");
  expect(await lost()).toEqual(["1 commit that no branch has", '1 branch only in the lane ("side")']);
}, 20_000);

it("names what only a stopped lane has, and knows nothing of one where a job came in between", async () => {
  const { stop, lost } = stoppable();
  holdings = { ...holdings, stashes: 1, branches: [{ name: "only", tip: "f".repeat(40) }] };
  await stop();
  expect(await lost()).toEqual(["1 stash entry", '1 branch only in the lane ("only")']);
  const busy = stoppable();
  busy.scene.hasWorked = true;
  await busy.stop();
  expect(await busy.lost()).toEqual(unknown);
}, 20_000);

it("leaves out the files of a worktree that was there before, but not what is only in the lane's git dir", async () => {
  rmSync(join(t.gitDir, "worktrees", made.name, "lanekeeper-start"));
  writeFileSync(join(made.worktree, "new"), "");
  holdings = { ...holdings, stashes: 1 };
  const lookedInto = new Set();
  expect(await desk().of(lane, t, {})).toEqual({
    lost: ["1 stash entry"],
    ignored: 0,
    lookedInto,
    keepsWorktree: true,
  });
});

it("names what only a submodule in the lane has, and contents of git-lfs that are only there", async () => {
  const submodules = [
    { path: "clean", commits: 0, others: 0 },
    { path: "mine", commits: 2, others: 1 },
  ];
  holdings = { ...holdings, submodules };
  writeFileSync(join(made.worktree, "a.bin"), renderPointer({ oid: "a".repeat(64), size: 7 }));
  made.inside("add", "a.bin");
  made.inside("commit", "--quiet", "-m", "a large file");
  const { lost, lookedInto } = await desk().of(lane, t, {});
  expect(lost).toEqual([
    "1 content of git-lfs that this host does not have (git lfs push in the lane)",
    '2 commits that no remote of it has and 1 uncommitted change or stash entry in submodule "mine"',
  ]);
  expect(lookedInto).toEqual(new Set(["clean", "mine"]));
});
