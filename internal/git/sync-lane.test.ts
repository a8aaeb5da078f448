import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decideSync } from "./decide-sync.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { countOnlyInLane, removeLaneRefs } from "./lane-refs.ts";
import { hasOwnConfig, laneConfig } from "./lane-seed.ts";
import { syncLane } from "./sync-lane.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { makeTestLane, type TestLane } from "./testing-lane.ts";

let t: TestRepo;
let lane: TestLane;
beforeEach(async () => {
  t = makeTestRepo();
  lane = await makeTestLane(t);
});
afterEach(() => t.dispose());

const file = (name: string) => join(lane.worktree, name);
const onHost = (...args: string[]) => t.raw(lane.worktree, ...args);
const commit = (name: string, text = name) => {
  t.write(file(name), text);
  lane.inside("add", name);
  lane.inside("commit", "--quiet", "-m", name);
  return lane.inside("rev-parse", "HEAD");
};
/** Both sides say the same, and the host did nothing for it. */
const expectSameTruth = () => {
  expect(onHost("log", "--format=%H %s")).toBe(lane.inside("log", "--format=%H %s"));
  expect(onHost("status", "--porcelain")).toBe(lane.inside("status", "--porcelain"));
  expect(onHost("branch", "--show-current")).toBe("lane1");
};

describe("seedOfLane", () => {
  it("makes a git dir that is clean at once, knows its branch, and holds no objects of its own", () => {
    expect(lane.inside("status", "--porcelain")).toBe("");
    expect(lane.inside("rev-parse", "HEAD")).toBe(t.raw(t.path, "rev-parse", "HEAD"));
    expect(lane.inside("config", "user.email")).toBe("t@example.test");
    expect(lane.inside("rev-parse", "main")).toBe(t.raw(t.path, "rev-parse", "main"));
    expect(lane.inside("count-objects")).toBe("0 objects, 0 kilobytes");
  });

  it("takes over no setting that names a program", async () => {
    for (const name of [
      "core.fsmonitor",
      "core.hooksPath",
      "filter.x.clean",
      "diff.external",
      "alias.x",
      "core.editor",
    ])
      t.raw(t.path, "config", name, "/bin/evil");
    t.raw(t.path, "config", "user.name", 'a "b" \\ c');
    const config = await laneConfig(t.git, { repo: t });
    expect(config).not.toContain("evil");
    t.write(join(t.root, "config"), config);
    expect(t.raw(t.root, "config", "--file", "config", "user.name")).toBe('a "b" \\ c');
  });

  it("shows a sparse work tree as it is", async () => {
    expect(await hasOwnConfig({ repo: t, worktree: lane.worktree })).toBe(false);
    t.raw(t.path, "sparse-checkout", "set", "sub");
    t.write(join(t.path, "other", "c.txt"), "c");
    t.raw(t.path, "add", "--sparse", "other");
    t.raw(t.path, "commit", "--quiet", "-m", "outside");
    const sparse = await makeTestLane(t, "sparse");
    t.raw(sparse.worktree, "sparse-checkout", "set", "sub");
    expect(existsSync(join(sparse.worktree, "other"))).toBe(false);
    expect(await hasOwnConfig({ repo: t, worktree: sparse.worktree })).toBe(true);
    rmSync(sparse.private, { recursive: true });
    const again = await makeTestLane(t, "sparse");
    expect(again.inside("status", "--porcelain")).toBe("");
    t.write(join(sparse.worktree, "sub", "b.txt"), "changed\n");
    again.inside("commit", "--quiet", "-am", "inside");
    await again.sync();
    expect(t.raw(sparse.worktree, "status", "--porcelain")).toBe("");
    expect(t.raw(sparse.worktree, "log", "-1", "--format=%s")).toBe("inside");
  });

  it.each([
    ["borrowed objects", (): unknown => t.write(join(t.gitDir, "objects/info/alternates"), "/x\n"), /borrows objects/],
    ["a partial clone", () => t.raw(t.path, "config", "remote.origin.promisor", "true"), /partial clone/],
  ])("refuses %s", async (_, make, message) => {
    await laneConfig(t.git, { repo: t });
    make();
    await expect(laneConfig(t.git, { repo: t })).rejects.toThrow(message);
  });
});

describe("syncLane", () => {
  it("brings a day's work over: commit, amend, branch, stash, rebase, cherry-pick, gc, pack-refs", async () => {
    commit("one");
    expect(await lane.sync()).toMatchObject({ commits: [expect.any(String)], diverged: false, held: null });
    expectSameTruth();
    lane.inside("commit", "--quiet", "--amend", "-m", "one, better");
    await lane.sync();
    expectSameTruth();
    lane.inside("checkout", "--quiet", "-b", "side");
    const picked = commit("side");
    t.write(file("a.txt"), "stashed\n");
    lane.inside("stash");
    lane.inside("checkout", "--quiet", "lane1");
    commit("two");
    lane.inside("cherry-pick", picked);
    lane.inside("stash", "pop");
    lane.inside("gc", "--quiet");
    lane.inside("pack-refs", "--all");
    lane.inside("blame", "one");
    await lane.sync();
    expectSameTruth();
    expect(onHost("status", "--porcelain")).toBe(" M a.txt");
    lane.inside("stash");
    lane.inside("rebase", "--quiet", "--force-rebase", "main");
    await lane.sync();
    expectSameTruth();
    expect(t.raw(t.path, "fsck", "--strict", "--no-dangling")).toBe("");
    expect(t.raw(t.path, "for-each-ref", "--format=%(refname)", "refs/heads")).toBe(
      "refs/heads/lane1\nrefs/heads/main",
    );
  });

  it("takes many objects as one pack, few as loose ones, and leaves nothing of the probation", async () => {
    const packs = () => readdirSync(join(t.gitDir, "objects", "pack")).filter((name) => name.endsWith(".idx")).length;
    commit("few");
    await lane.sync();
    expect(packs()).toBe(0);
    for (let i = 0; i < 150; i++) t.write(file(`f${i}`), String(i));
    lane.inside("add", ".");
    lane.inside("commit", "--quiet", "-m", "many");
    await lane.sync();
    expect(packs()).toBe(1);
    expectSameTruth();
    expect(readdirSync(join(t.gitDir, "objects")).filter((name) => name.startsWith("tmp"))).toEqual([]);
  });

  it("hands commits of the host on, and keeps what is staged", async () => {
    t.write(file("h"), "h");
    onHost("add", "h");
    onHost("commit", "--quiet", "-m", "on the host");
    t.write(file("s"), "s");
    lane.inside("add", "s");
    expect(await lane.sync()).toMatchObject({ held: "something is staged", diverged: false });
    lane.inside("reset", "--quiet");
    expect(await lane.sync()).toMatchObject({ held: null });
    expectSameTruth();
    expect(lane.inside("status", "--porcelain")).toBe("?? s");
  });

  it("keeps on the host's index what a person has staged there", async () => {
    t.write(file("a.txt"), "staged\n");
    onHost("add", "a.txt");
    commit("one");
    await lane.sync();
    expect(onHost("status", "--porcelain")).toBe("M  a.txt");
    expect(onHost("log", "-1", "--format=%s")).toBe("one");
  });

  it("keeps what a person stages while the commits are being taken over", async () => {
    commit("one");
    const staging: HardenedGit = (call) => {
      if (call.args[0] === "update-ref" && String(call.stdin).includes("refs/heads/")) {
        t.write(file("a.txt"), "staged\n");
        onHost("add", "a.txt");
      }
      return t.git(call);
    };
    await lane.sync(staging);
    expect(onHost("status", "--porcelain")).toBe("M  a.txt");
    expect(onHost("log", "-1", "--format=%s")).toBe("one");
  });

  it("says that the index is late, for as long as somebody holds it, and then has it follow", async () => {
    const lock = join(t.gitDir, "worktrees", "lane1", "index.lock");
    const mine = commit("mine");
    const locking: HardenedGit = async (call) => {
      const done = await t.git(call);
      if (call.args[0] === "update-ref" && String(call.stdin).includes("refs/heads/")) t.write(lock, "");
      return done;
    };
    expect(await lane.sync(locking)).toMatchObject({ host: mine, held: expect.stringContaining("index.lock") });
    expect(await lane.sync()).toMatchObject({ commits: [], held: expect.stringContaining("index.lock") });
    rmSync(lock);
    expect(await lane.sync()).toMatchObject({ held: null });
    expectSameTruth();
  });

  it("goes by what both were seen to agree on, and moves nothing where that is not so any more", async () => {
    await lane.sync();
    const agreed = onHost("rev-parse", "HEAD");
    const mine = commit("mine");
    expect(await lane.sync(t.git, agreed)).toMatchObject({ host: mine, commits: [mine], held: null });
    expectSameTruth();
    commit("more");
    const theirs = onHost("commit-tree", `${mine}^{tree}`, "-p", mine, "-m", "theirs");
    t.raw(t.path, "update-ref", "refs/heads/lane1", theirs);
    await expect(lane.sync(t.git, mine)).rejects.toMatchObject({ code: "git.failed" });
    expect(onHost("rev-parse", "HEAD")).toBe(theirs);
    expect(await lane.sync()).toMatchObject({ diverged: true });
  });

  it("works in a SHA-256 repository", async () => {
    t.dispose();
    t = makeTestRepo({ objectFormat: "sha256" });
    lane = await makeTestLane(t);
    expect(commit("one")).toHaveLength(64);
    expect(await lane.sync()).toMatchObject({ commits: [expect.any(String)] });
    expectSameTruth();
  });

  it("works in a shallow clone", async () => {
    commit("one");
    await lane.sync();
    t.raw(t.path, "merge", "--quiet", "lane1");
    const path = join(t.root, "shallow");
    t.raw(t.root, "clone", "--quiet", "--depth=1", `file://${t.path}`, path);
    t = { ...t, path, gitDir: join(path, ".git") };
    lane = await makeTestLane(t, "lane2");
    expect(commit("two")).toBe(lane.inside("rev-parse", "HEAD"));
    expect(await lane.sync()).toMatchObject({ commits: [expect.any(String)], held: null });
    expect(onHost("log", "--format=%s")).toBe("two\none");
    expect(onHost("status", "--porcelain")).toBe("");
  });

  it("moves nothing when both sides went apart, and keeps the lane's commits on the host", async () => {
    const base = onHost("rev-parse", "HEAD");
    const mine = commit("mine");
    const theirs = onHost("commit-tree", `${base}^{tree}`, "-p", base, "-m", "theirs");
    t.raw(t.path, "update-ref", "refs/heads/lane1", theirs);
    const seen = await lane.sync();
    expect(seen).toMatchObject({ diverged: true, lane: mine, host: theirs });
    expect(await lane.sync()).toMatchObject({ diverged: true });
    expect(onHost("rev-parse", "lane1", "refs/lanes/lane1/head")).toBe(`${theirs}\n${mine}`);
    expect(lane.inside("rev-parse", "lane1")).toBe(mine);
    expect(await countOnlyInLane(t.git, { gitDir: t.gitDir, lane: "lane1" })).toBe(1);
    await removeLaneRefs(t.git, { gitDir: t.gitDir, lane: "lane1" });
    expect(await countOnlyInLane(t.git, { gitDir: t.gitDir, lane: "lane1" })).toBe(0);
  });

  it("does not move a branch under a rebase or merge on the host", async () => {
    const before = onHost("rev-parse", "HEAD");
    const own = join(t.gitDir, "worktrees", "lane1");
    t.write(join(own, "MERGE_HEAD"), `${before}\n`);
    const tip = commit("one");
    expect(await lane.sync()).toMatchObject({ held: expect.stringContaining("MERGE_HEAD"), host: before });
    rmSync(join(own, "MERGE_HEAD"));
    expect(await lane.sync()).toMatchObject({ held: null, host: tip });
    expectSameTruth();
  });

  it.each(["reset", "update-ref", "unpack-objects"])("mends what a death before %s leaves", async (command) => {
    commit("one");
    let moves = 0;
    const dying: HardenedGit = (call) => {
      // The second update-ref is the one that forgets the pending index.
      if (call.args[0] === command && (command !== "update-ref" || ++moves === 2)) throw new Error("killed");
      return t.git(call);
    };
    const wanted = {
      gitDir: t.gitDir,
      lane: "lane1",
      branch: "lane1",
      worktree: lane.worktree,
      maxBytes: 1e6,
      seedTip: null,
    };
    await expect(syncLane(dying, wanted, lane.side)).rejects.toThrow("killed");
    expect(await lane.sync()).toMatchObject({ held: null });
    expectSameTruth();
  });

  it("runs neither hook nor filter", async () => {
    for (const hook of ["post-index-change", "post-checkout", "reference-transaction"]) {
      t.write(join(t.gitDir, "hooks", hook), `#!/bin/sh\ntouch ${t.root}/canary\n`);
      chmodSync(join(t.gitDir, "hooks", hook), 0o755);
    }
    t.raw(t.path, "config", "filter.evil.clean", `touch ${t.root}/canary; cat`);
    t.raw(t.path, "config", "filter.evil.smudge", `touch ${t.root}/canary; cat`);
    t.write(file(".gitattributes"), "* filter=evil\n");
    commit("one");
    await lane.sync();
    expect(existsSync(join(t.root, "canary"))).toBe(false);
  });
});

describe("decideSync", () => {
  it.each([
    [{ lane: "a", host: "a", base: "b" }, null, "same"],
    [{ lane: "b", host: "a", base: "a" }, null, "take"],
    [{ lane: "a", host: "b", base: "a" }, null, "give"],
    [{ lane: "b", host: "c", base: "a" }, "lane-is-ahead", "take"],
    [{ lane: "b", host: "c", base: "a" }, "host-is-ahead", "give"],
    [{ lane: "b", host: "c", base: "a" }, "apart", "diverged"],
    [{ lane: null, host: "c", base: "c" }, null, "diverged"],
    [{ lane: "b", host: null, base: "b" }, null, "diverged"],
  ] as const)("%o %s -> %s", (facts, ancestry, kind) => {
    expect(decideSync({ ...facts, ancestry }).kind).toBe(kind);
  });
});
