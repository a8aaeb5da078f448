import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addWorktree } from "./add-worktree.ts";
import { diffLane } from "./lane-diff.ts";
import { mergeLane } from "./merge-lane.ts";
import { releaseWorktree, removeWorktree, worktreeLosses } from "./remove-worktree.ts";
import { knownSubmoduleCommits } from "./submodules.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { makeTestLane, type TestLane } from "./testing-lane.ts";

let t: TestRepo;
let lane: TestLane;
/** The repository that is the submodule. */
let lib: string;
beforeEach(async () => {
  t = makeTestRepo();
  t.write(join(t.root, "home", ".gitconfig"), '[user]\n\tname=T\n\temail=t@t\n[protocol "file"]\n\tallow=always\n');
  lib = join(t.root, "lib");
  t.raw(t.root, "clone", "--quiet", t.path, lib);
  t.raw(t.path, "submodule", "--quiet", "add", lib, "lib ü");
  t.raw(t.path, "commit", "--quiet", "-m", "with lib");
  lane = await makeTestLane(t);
});
afterEach(() => t.dispose());

const typed = (...args: string[]) => t.raw(lane.worktree, ...args);
const inLib = (...args: string[]) => t.raw(join(lane.worktree, "lib ü"), ...args);

/** As the worker and the agent do: the lane's index lets git into the submodule, which is filled, and worked in. */
async function workInside(): Promise<string> {
  lane.inside("update-index", "--no-skip-worktree", "lib ü");
  lane.inside("submodule", "--quiet", "update", "--init");
  inLib("commit", "--quiet", "--allow-empty", "-m", "mine");
  lane.inside("add", "lib ü");
  lane.inside("commit", "--quiet", "-m", "newer lib");
  expect(await lane.sync()).toMatchObject({ held: null, diverged: false });
  const tip = inLib("rev-parse", "HEAD");
  // In a container the private git dir has another path than here, so on the host its name leads nowhere.
  writeFileSync(join(lane.worktree, "lib ü", ".git"), "gitdir: ../../nowhere/modules/lib\n");
  return tip;
}

describe("a lane of a repository with a submodule", () => {
  it("leaves plain git on the host whole: status, diff, log, add, commit, stash, checkout", async () => {
    expect(typed("status", "--porcelain")).toBe("");
    const tip = await workInside();
    for (const command of ["status --porcelain", "diff", "diff HEAD", "add -A", "stash"])
      expect([command, typed(...command.split(" "))]).toEqual([
        command,
        command === "stash" ? "No local changes to save" : "",
      ]);
    expect(typed("log", "-1", "--format=%s")).toBe("newer lib");
    expect(typed("diff", "--submodule=short", "HEAD^", "HEAD")).toContain(`+Subproject commit ${tip}`);
    t.write(join(lane.worktree, "a.txt"), "eno\n");
    typed("commit", "--quiet", "-am", "by hand");
    typed("checkout", "--quiet", "-b", "other");
    expect(typed("status", "--porcelain")).toBe("");
    expect(t.raw(t.path, "status", "--porcelain")).toBe("");
  });

  it("says in diff and merge that only the lane has the commit, until the repository's own copy has it", async () => {
    const tip = await workInside();
    const { gitDir } = t;
    const head = typed("rev-parse", "HEAD");
    const scratch = join(t.root, "scratch");
    const seen = async () => {
      const at = { gitDir, worktree: lane.worktree, base: "main", head: Promise.resolve(head), scratch };
      const { files } = await diffLane(t.git, { ...at, patch: "none" });
      return files.flatMap(({ path, flags }) => [path, ...flags.map(({ message }) => message)]);
    };
    expect(await seen()).toEqual(["lib ü", expect.stringContaining("no copy of it on this host has that commit")]);
    const merge = (allowFlagged: boolean) =>
      mergeLane(t.git, {
        ...{ gitDir, lane: "lane1", head, into: "main", strategy: "auto", ofLanes: [lane.worktree], scratch },
        ...{ dryRun: false, allowFlagged },
      });
    await expect(merge(false)).rejects.toMatchObject({ code: "git.flagged" });
    expect(await merge(true)).toMatchObject({ strategy: "ff", after: head });
    // The developer's checkout tells the truth: its submodule is not at the commit that is named.
    expect(t.raw(t.path, "status", "--porcelain")).toBe(" M lib ü".replace("lib ü", '"lib \\303\\274"'));
    t.raw(t.path, "-C", "lib ü", "fetch", "--quiet", join(lane.private, "modules", "lib ü"), "HEAD");
    expect(await knownSubmoduleCommits(t.git, { gitDir, commits: [tip, head] })).toEqual(new Set([tip]));
    expect(await seen()).toEqual([]);
  });

  it("is not removed before somebody has looked into the submodule", async () => {
    await workInside();
    const at = { repo: t, path: lane.worktree };
    expect(await worktreeLosses(t.git, at)).toMatchObject({ submodules: ["lib ü"] });
    const lookedInto = new Set(["lib ü"]);
    expect(await worktreeLosses(t.git, { ...at, lookedInto })).toBeNull();
    expect(await removeWorktree(t.git, { ...at, lookedInto, force: false })).toEqual({ removed: true });
    expect(existsSync(lane.worktree)).toBe(false);
  });

  it("counts what stands in the submodule's place as work", async () => {
    rmSync(join(lane.worktree, "lib ü"), { recursive: true });
    writeFileSync(join(lane.worktree, "lib ü"), "a file");
    expect(await worktreeLosses(t.git, { repo: t, path: lane.worktree })).toMatchObject({ submodules: ["lib ü"] });
  });

  it("keeps plain git out of a sparse worktree's submodules too", async () => {
    typed("sparse-checkout", "set", "sub");
    await workInside();
    expect(typed("status", "--porcelain")).toBe("");
  });

  it("refuses a worktree whose submodules the host has filled, and gives an empty one back as it was", async () => {
    const path = join(t.root, "own");
    t.raw(t.path, "worktree", "add", "--quiet", "-b", "own", path);
    const wanted = { repo: t, path: join(t.root, "elsewhere"), branch: "own", from: null };
    const tags = () =>
      t
        .raw(path, "ls-files", "-t")
        .split("\n")
        .filter((line) => line.startsWith("S"));
    expect(await addWorktree(t.git, wanted)).toMatchObject({ adopted: true, path });
    expect(tags()).toHaveLength(1);
    await releaseWorktree(t.git, { repo: t, path });
    expect(tags()).toEqual([]);
    mkdirSync(join(path, "lib ü", "x"));
    await expect(addWorktree(t.git, wanted)).rejects.toThrow(/submodules with files \("lib ü"\)/);
  });
});
