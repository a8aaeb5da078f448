import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addWorktree } from "./add-worktree.ts";
import { describeRepository } from "./describe-repository.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { removeWorktree } from "./remove-worktree.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { worktreeStatus } from "./worktree-status.ts";

let t: TestRepo;
beforeEach(() => {
  t = makeTestRepo();
});
afterEach(() => t.dispose());

const lane = (name = "lane1") => join(t.root, "repo.lanes", name);
const add = (change: Partial<Parameters<typeof addWorktree>[1]> = {}) =>
  addWorktree(t.git, { repo: t, path: lane(), branch: "lane1", from: "HEAD", ...change });

describe("describeRepository", () => {
  it("finds the main work tree from itself, a folder below, a link to it and a linked work tree", async () => {
    await add();
    symlinkSync(t.path, join(t.root, "link"));
    const commit = t.raw(t.path, "rev-parse", "HEAD");
    const expected = { path: t.path, gitDir: t.gitDir, bare: false, branch: "main", commit };
    for (const path of [t.path, join(t.path, "sub"), join(t.root, "link"), lane(), join(lane(), "sub")]) {
      expect(await describeRepository(t.git, path, {})).toEqual(expected);
    }
    t.raw(t.path, "checkout", "--quiet", "--detach");
    expect((await describeRepository(t.git, t.path, {})).branch).toBeNull();
  });

  it("says what is wrong, and the next step", async () => {
    const bare = join(t.root, "bare.git");
    t.raw(t.root, "init", "--quiet", "--bare", bare);
    mkdirSync(join(t.root, "empty"));
    mkdirSync(join(t.root, "young"));
    t.raw(join(t.root, "young"), "init", "--quiet");
    t.write(join(t.root, "file"), "");
    const cases: readonly (readonly [string, RegExp, RegExp])[] = [
      [join(t.root, "none"), /there is no folder/, /check the path/],
      [join(t.root, "file"), /is not a folder/, /check the path/],
      ["relative", /not an absolute path/, /absolute/],
      [join(t.root, "empty"), /is not in a git repository/, /git -C .* init/],
      [bare, /has no commit on refs\/heads\/master/, /symbolic-ref HEAD/],
      [join(t.root, "young"), /has no commit yet/, /commit --allow-empty/],
    ];
    for (const [path, message, hint] of cases) {
      const error = await describeRepository(t.git, path, {}).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "workspace.invalid" });
      expect((error as Error).message).toMatch(message);
      expect((error as { hint: string }).hint).toMatch(hint);
    }
  });

  it("does not follow core.worktree out of the folder", async () => {
    t.raw(t.path, "config", "core.worktree", "/etc");
    await expect(describeRepository(t.git, t.path, {})).rejects.toThrow(/is not inside the work tree \/etc/);
  });
});

describe("addWorktree", () => {
  it("makes a new branch from a ref, checks it out, and finds it again", async () => {
    const first = t.raw(t.path, "rev-parse", "HEAD");
    t.raw(t.path, "tag", "v1");
    t.raw(t.path, "commit", "--quiet", "--allow-empty", "-m", "second");
    const made = await add({ from: "v1" });
    expect(made).toEqual({
      path: lane(),
      gitDir: join(t.gitDir, "worktrees", "lane1"),
      branch: "lane1",
      commit: first,
      createdBranch: true,
      createdWorktree: true,
      adopted: false,
    });
    expect(readFileSync(join(lane(), "sub", "b.txt"), "utf8")).toBe("two\n");
    expect(t.raw(lane(), "status", "--porcelain")).toBe("");
    expect(t.raw(lane(), "branch", "--show-current")).toBe("lane1");
    expect(await add({ from: "gone" })).toEqual({ ...made, createdBranch: false, createdWorktree: false });
  });

  it("adopts an existing branch, at any depth of folders", async () => {
    t.raw(t.path, "branch", "feature/x");
    t.raw(t.path, "tag", "feature/x");
    const made = await add({ branch: "feature/x", path: join(lane(), "deep", "er") });
    expect([made.createdBranch, made.createdWorktree]).toEqual([false, true]);
    expect(t.raw(made.path, "branch", "--show-current")).toBe("feature/x");
  });

  it("finishes what an interrupted call began, also under a stale lock", async () => {
    t.raw(t.path, "worktree", "add", "--quiet", "--no-checkout", "-b", "lane1", lane());
    t.write(join(t.gitDir, "worktrees", "lane1", "index.lock"), "");
    expect(await add()).toMatchObject({ createdWorktree: false });
    expect(t.raw(lane(), "status", "--porcelain")).toBe("");
  });

  it("never touches the changes of a work tree it adopts", async () => {
    await add();
    t.write(join(lane(), "a.txt"), "mine\n");
    await add();
    expect(readFileSync(join(lane(), "a.txt"), "utf8")).toBe("mine\n");
  });

  it("makes a work tree again whose folder was deleted", async () => {
    await add();
    rmSync(lane(), { recursive: true });
    expect(await add()).toMatchObject({ createdBranch: false, createdWorktree: true });
    expect(t.raw(lane(), "status", "--porcelain")).toBe("");
  });

  it.each([
    [
      "a branch in use by the main work tree",
      { branch: "main" },
      "git.conflict",
      /"main" is checked out in .*repo, the/,
    ],
    ["a branch that does not exist", { from: "nope" }, "usage.invalid", /no commit "nope"/],
    ["a ref that looks like an option", { from: "--all" }, "usage.invalid", /no commit "--all"/],
    ["a range", { from: "HEAD..HEAD" }, "usage.invalid", /no commit/],
    ["a branch that looks like an option", { branch: "--force" }, "usage.invalid", /not a branch name/],
    ["a commit's id as a branch", { branch: "a".repeat(40) }, "usage.invalid", /not a branch name/],
    ["a name that git expands", { branch: "@{-1}" }, "usage.invalid", /not a branch name/],
    ["a name too long for a file", { branch: "b".repeat(251) }, "usage.invalid", /not a branch name/],
    ["a branch below another one", { branch: "main/x" }, "git.conflict", /cannot be a branch "main\/x" beside/],
    ["HEAD", { branch: "HEAD" }, "usage.invalid", /not a branch name/],
    ["a branch with a space", { branch: "a b" }, "usage.invalid", /not a branch name/],
    ["a branch with a line break", { branch: "a\nb" }, "usage.invalid", /not a branch name/],
    ["a branch with a NUL", { branch: "a\0b" }, "usage.invalid", /NUL/],
    ["an empty branch", { branch: "" }, "usage.invalid", /not a branch name/],
  ])("refuses %s and leaves nothing behind", async (_, change, code, message) => {
    const before = t.raw(t.path, "for-each-ref");
    await expect(add(change)).rejects.toMatchObject({ code });
    await expect(add(change)).rejects.toThrow(message);
    expect(t.raw(t.path, "for-each-ref")).toBe(before);
    expect(existsSync(lane())).toBe(false);
  });

  it("takes paths and branches that a shell or git could misread", async () => {
    for (const name of ["-rf", "a;touch x", "$(touch x)", "ä ö", "a\nb", "--"]) {
      const path = lane(`x${name}`.slice(name.startsWith("-") ? 1 : 0));
      const branch = `b/${Buffer.from(name).toString("hex")}`;
      expect((await add({ path, branch })).path).toBe(path);
      expect((await worktreeStatus(t.git, { repo: t, path, base: "main" })).branch).toBe(branch);
      expect(await removeWorktree(t.git, { repo: t, path, force: false })).toEqual({ removed: true });
    }
    const strange = ["a;b", "$(id)", "`id`", "x'y", "é"];
    for (const branch of strange)
      expect((await add({ branch, path: lane(strange.indexOf(branch).toString()) })).branch).toBe(branch);
    expect(existsSync(join(t.path, "x"))).toBe(false);
  });

  it("refuses a folder that is in the way", async () => {
    t.write(join(lane(), "precious"), "x");
    await expect(add()).rejects.toMatchObject({
      code: "git.conflict",
      message: `${lane()} exists already and is not a work tree of ${t.path}`,
    });
    expect(t.raw(t.path, "branch", "--list", "lane1")).toBe("");
    rmSync(lane(), { recursive: true });
    mkdirSync(lane(), { recursive: true });
    expect(await add()).toMatchObject({ createdWorktree: true });
  });

  it("adopts a work tree wherever it is, unless a lane has it or its folder is gone", async () => {
    const theirs = join(t.root, "elsewhere");
    t.raw(t.path, "worktree", "add", "--quiet", "-b", "theirs", theirs);
    t.write(join(theirs, "a.txt"), "mine\n");
    const adopted = await add({ branch: "theirs" });
    expect(adopted).toMatchObject({ path: theirs, adopted: true, createdBranch: false, createdWorktree: false });
    expect(readFileSync(join(theirs, "a.txt"), "utf8")).toBe("mine\n");
    expect(existsSync(lane())).toBe(false);

    expect((await add()).adopted).toBe(false);
    expect((await add()).adopted).toBe(false);
    const laneAt = (path: string) => (path === lane() ? "first" : null);
    await expect(add({ path: lane("two"), laneAt })).rejects.toMatchObject({
      code: "git.conflict",
      message: 'branch "lane1" is that of lane first',
    });
    await expect(add({ branch: "other" })).rejects.toThrow(/is a work tree of branch "lane1", not of "other"/);
    rmSync(lane(), { recursive: true });
    await expect(add({ path: lane("two") })).rejects.toMatchObject({
      code: "git.conflict",
      hint: expect.stringContaining("git worktree prune"),
    });
  });

  it("takes a remote's branch as git worktree add does, and asks when two have it", async () => {
    const clone = join(t.root, "clone");
    t.raw(t.path, "branch", "feature/x");
    t.raw(t.path, "branch", "only");
    t.raw(t.path, "commit", "--quiet", "--allow-empty", "-m", "later");
    t.raw(t.root, "clone", "--quiet", t.path, clone);
    t.raw(clone, "remote", "add", "--fetch", "fork", t.path);
    t.raw(clone, "update-ref", "-d", "refs/remotes/fork/only");
    const repo = await describeRepository(t.git, clone, {});
    const from = (branch: string, start: string | null = null) =>
      addWorktree(t.git, { repo, path: join(t.root, "clone.lanes", `l${branch.length}`), branch, from: start });
    expect(await from("only")).toMatchObject({ branch: "only", createdBranch: true });
    expect(t.raw(clone, "rev-parse", "--abbrev-ref", "only@{upstream}")).toBe("origin/only");
    expect(t.raw(clone, "rev-parse", "only")).toBe(t.raw(t.path, "rev-parse", "only"));
    await expect(from("feature/x")).rejects.toMatchObject({
      code: "usage.invalid",
      message: "fork/feature/x and origin/feature/x both have a branch of this name",
    });
    expect(await from("fork/feature/x")).toMatchObject({ branch: "feature/x", createdBranch: true });
    expect(t.raw(clone, "rev-parse", "--abbrev-ref", "feature/x@{upstream}")).toBe("fork/feature/x");
    expect(await from("main-2", "origin/main")).toMatchObject({ branch: "main-2", createdBranch: true });
    expect(t.raw(clone, "config", "--list")).not.toContain("branch.main-2");
  });

  it("undoes everything when it is cancelled or fails half-way", async () => {
    const before = t.raw(t.path, "for-each-ref");
    const controller = new AbortController();
    const cancelling: HardenedGit = (call) => {
      if (call.args[0] === "reset") controller.abort();
      return t.git(call);
    };
    const wanted = { repo: t, path: lane(), branch: "lane1", from: "HEAD", signal: controller.signal };
    await expect(addWorktree(cancelling, wanted)).rejects.toMatchObject({ code: "cancelled" });
    expect([existsSync(lane()), t.raw(t.path, "for-each-ref"), readdirSync(t.gitDir).includes("worktrees")]).toEqual([
      false,
      before,
      false,
    ]);
    t.raw(t.path, "branch", "kept");
    const again = { ...wanted, branch: "kept", signal: undefined };
    const failing: HardenedGit = (call) =>
      t.git(call.args[0] === "reset" ? { ...call, args: ["reset", "--no-such"] } : call);
    await expect(addWorktree(failing, again)).rejects.toMatchObject({ code: "git.failed" });
    expect([existsSync(lane()), t.raw(t.path, "branch", "--list", "kept").trim()]).toEqual([false, "kept"]);
  });
});

describe("worktreeStatus", () => {
  it("counts changes, untracked paths and commits, and writes nothing", async () => {
    await add();
    const index = () => readFileSync(join(t.gitDir, "worktrees", "lane1", "index"));
    t.write(join(lane(), "c.txt"), "c");
    t.raw(lane(), "add", "c.txt");
    t.raw(lane(), "commit", "--quiet", "-m", "c");
    t.raw(t.path, "commit", "--quiet", "--allow-empty", "-m", "d");
    t.raw(t.path, "commit", "--quiet", "--allow-empty", "-m", "e");
    t.write(join(lane(), "a.txt"), "changed\n");
    rmSync(join(lane(), "sub", "b.txt"));
    t.write(join(lane(), "new dir", "x"), "");
    t.write(join(lane(), "new dir", "y"), "");
    t.write(join(lane(), "line\nbreak"), "");
    t.write(join(lane(), ".gitignore"), "*.log\n");
    t.write(join(lane(), "z.log"), "");
    const before = index();
    expect(await worktreeStatus(t.git, { repo: t, path: lane(), base: "main" })).toEqual({
      branch: "lane1",
      commit: t.raw(lane(), "rev-parse", "HEAD"),
      changed: ["a.txt", "sub/b.txt"],
      untracked: [".gitignore", "line\nbreak", "new dir/"],
      dirty: 5,
      ahead: 1,
      behind: 2,
    });
    expect(index().equals(before)).toBe(true);
    expect(await worktreeStatus(t.git, { repo: t, path: lane(), base: "gone" })).toMatchObject({ ahead: 0, behind: 0 });
  });

  it("does not believe the work tree's own .git", async () => {
    await add();
    rmSync(join(lane(), ".git"));
    t.raw(lane(), "init", "--quiet");
    expect(await worktreeStatus(t.git, { repo: t, path: lane(), base: null })).toMatchObject({
      branch: "lane1",
      changed: [],
    });
  });

  it("says when the work tree is not there", async () => {
    await expect(worktreeStatus(t.git, { repo: t, path: lane(), base: null })).rejects.toMatchObject({
      code: "lane.worktree_missing",
    });
  });

  it("is not stopped for ever by a pipe among the files", async () => {
    await add();
    const { execFileSync } = await import("node:child_process");
    execFileSync("mkfifo", [join(lane(), ".gitignore")]);
    const quick: HardenedGit = (call) => t.git(call.args[0] === "status" ? { ...call, timeoutMs: 300 } : call);
    const startedAt = Date.now();
    const seen = await worktreeStatus(quick, { repo: t, path: lane(), base: null }).catch((e: unknown) => e);
    expect(seen).toMatchObject({ code: "timeout", retry: "retryable" });
    expect(Date.now() - startedAt).toBeLessThan(2000);
  });
});

describe("removeWorktree", () => {
  const remove = (force = false) => removeWorktree(t.git, { repo: t, path: lane(), force });

  it("removes a clean one, keeps its branch and commits, and may be repeated", async () => {
    await add();
    t.raw(lane(), "commit", "--quiet", "--allow-empty", "-m", "kept");
    const tip = t.raw(lane(), "rev-parse", "HEAD");
    expect(await remove()).toEqual({ removed: true });
    expect(existsSync(lane())).toBe(false);
    expect(t.raw(t.path, "rev-parse", "lane1")).toBe(tip);
    expect(await remove()).toEqual({ removed: false });
  });

  it("names what would be lost, and removes with force", async () => {
    await add();
    t.write(join(lane(), "a.txt"), "changed\n");
    for (const name of ["u1", "u2", "u3", "u 4", "u5"]) t.write(join(lane(), name), "");
    await expect(remove()).rejects.toMatchObject({
      code: "lane.would_lose_work",
      message: `removing ${lane()} would lose 1 uncommitted change (a.txt), 5 untracked paths ("u 4", u1, u2, and 2 more)`,
      details: { changedCount: 1, untrackedCount: 5 },
    });
    expect(existsSync(join(lane(), "u5"))).toBe(true);
    expect(await remove(true)).toEqual({ removed: true });
  });

  it("counts commits that no branch has", async () => {
    await add();
    t.raw(lane(), "checkout", "--quiet", "--detach");
    t.raw(lane(), "commit", "--quiet", "--allow-empty", "-m", "loose");
    await expect(remove()).rejects.toThrow(/would lose 1 commit on no branch/);
  });

  it("does not look into submodules, and says so", async () => {
    const other = join(t.root, "other");
    t.raw(t.root, "clone", "--quiet", t.path, other);
    t.raw(t.path, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other, "mod");
    t.raw(t.path, "commit", "--quiet", "-m", "mod");
    await add();
    expect(await worktreeStatus(t.git, { repo: t, path: lane(), base: null })).toMatchObject({ dirty: 0 });
    t.write(join(lane(), "mod", "file"), "x");
    await expect(remove()).rejects.toThrow(/1 submodule that was not looked into \(mod\)/);
    expect(await remove(true)).toEqual({ removed: true });
  });

  it("clears the entry of a folder that is gone", async () => {
    await add();
    rmSync(lane(), { recursive: true });
    expect(await remove()).toEqual({ removed: true });
    expect(t.raw(t.path, "worktree", "list")).not.toContain("lane1");
  });

  it("refuses the main work tree, a foreign folder and a locked one", async () => {
    for (const path of [t.path, t.root]) {
      await expect(removeWorktree(t.git, { repo: t, path, force: true })).rejects.toMatchObject({
        code: "git.conflict",
      });
    }
    expect(existsSync(join(t.path, "a.txt"))).toBe(true);
    await add();
    t.raw(t.path, "worktree", "lock", "--reason", "mine", lane());
    await expect(remove(true)).rejects.toThrow(/is locked: mine/);
  });
});
