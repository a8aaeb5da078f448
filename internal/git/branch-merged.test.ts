import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deleteBranch, howMerged, tipOfBranch } from "./branch-merged.ts";
import { onlyInLane } from "./only-in-lane.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";

let t: TestRepo;
beforeEach(() => {
  t = makeTestRepo();
  t.raw(t.path, "checkout", "--quiet", "-b", "work");
  for (const name of ["one", "two"]) commit(name);
  t.raw(t.path, "checkout", "--quiet", "main");
});
afterEach(() => t.dispose());
const commit = (name: string) => {
  t.write(join(t.path, name), `${name}\n`);
  t.raw(t.path, "add", ".");
  t.raw(t.path, "commit", "--quiet", "-m", name);
};
const merged = (base = "main") => howMerged(t.git, { gitDir: t.gitDir, branch: "work", base });

describe("howMerged", () => {
  it("knows a merge, a rebase and a squash, and work that is not in the base", async () => {
    expect(await merged()).toBeNull();
    t.raw(t.path, "checkout", "--quiet", "-b", "merge");
    t.raw(t.path, "merge", "--quiet", "--no-ff", "-m", "merge", "work");
    expect(await merged("merge")).toBe("ancestor");
    t.raw(t.path, "checkout", "--quiet", "-b", "squash", "main");
    t.raw(t.path, "merge", "--quiet", "--squash", "work");
    t.raw(t.path, "commit", "--quiet", "-m", "squash");
    expect(await merged("squash")).toBe("content");
    t.raw(t.path, "checkout", "--quiet", "-b", "picked", "main");
    commit("other");
    t.raw(t.path, "cherry-pick", "main..work");
    expect(await merged("picked")).toBe("content");
    t.raw(t.path, "checkout", "--quiet", "-b", "half", "main");
    t.raw(t.path, "cherry-pick", "work~1");
    commit("other");
    expect(await merged("half")).toBeNull();
    expect(await merged("--all")).toBeNull();
    expect(await merged("gone")).toBeNull();
  });
});

describe("deleteBranch", () => {
  it("deletes a branch with its configuration, unless it has moved", async () => {
    t.raw(t.path, "config", "branch.work.remote", "origin");
    const tip = (await tipOfBranch(t.git, { gitDir: t.gitDir, branch: "work" })) ?? "";
    const wanted = { gitDir: t.gitDir, branch: "work", tip };
    await expect(deleteBranch(t.git, { ...wanted, tip: t.raw(t.path, "rev-parse", "main") })).rejects.toMatchObject({
      code: "git.failed",
    });
    await deleteBranch(t.git, wanted);
    expect(t.raw(t.path, "branch", "--list", "work")).toBe("");
    expect(t.raw(t.path, "config", "--list")).not.toContain("branch.work");
    expect(await tipOfBranch(t.git, { gitDir: t.gitDir, branch: "work" })).toBeNull();
  });
});

describe("onlyInLane", () => {
  it("names what no branch, tag or remote has, and what is not there at all", async () => {
    const at = (rev: string) => t.raw(t.path, "rev-parse", rev);
    const [one, two, main] = [at("work~1"), at("work"), at("main")];
    const blob = at("main:a.txt");
    const absent = "f".repeat(40);
    const only = async (...tips: string[]) => [...(await onlyInLane(t.git, { gitDir: t.gitDir, tips }))].sort();
    expect(await only(one, two, main)).toEqual([]);
    expect(await only(absent, blob)).toEqual([absent, blob].sort());
    t.raw(t.path, "update-ref", "refs/lanes/l/head", two);
    t.raw(t.path, "branch", "-f", "work", one);
    expect(await only(one, two, main)).toEqual([two]);
    expect(await only()).toEqual([]);
  });
});
