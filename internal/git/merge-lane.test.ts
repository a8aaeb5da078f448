import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AppError } from "../base/index.ts";
import { addWorktree } from "./add-worktree.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { type MergeLane, mergeLane } from "./merge-lane.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";

// Many processes each, on a machine that has others to run.
vi.setConfig({ testTimeout: 30_000 });

let t: TestRepo;
let lane: string;
beforeEach(async () => {
  t = makeTestRepo();
  lane = (await addWorktree(t.git, { repo: t, path: join(t.root, "repo.lanes", "l"), branch: "l", from: "HEAD" })).path;
});
afterEach(() => t.dispose());

const commit = (where: string, file: string, text: string, message = `change ${file}`) => {
  t.write(join(where, file), text);
  t.raw(where, "add", "--all");
  t.raw(where, "commit", "--quiet", "-m", message);
  return t.raw(where, "rev-parse", "HEAD");
};
const head = () => t.raw(lane, "rev-parse", "HEAD");
const merge = (more: Partial<MergeLane> = {}, git: HardenedGit = t.git) =>
  mergeLane(git, {
    gitDir: t.gitDir,
    lane: "l",
    head: more.head ?? head(),
    into: "main",
    strategy: "auto",
    allowFlagged: false,
    dryRun: false,
    ofLanes: [lane],
    scratch: join(t.root, "scratch"),
    ...more,
  });
const refused = async (act: Promise<unknown>): Promise<AppError> => {
  const error = await act.then(
    () => null,
    (caught: unknown) => caught,
  );
  if (error instanceof AppError) return error;
  throw new Error(`not refused: ${String(error)}`);
};
const status = (where = t.path) => t.raw(where, "status", "--porcelain");
const log = (ref = "main") => t.raw(t.path, "log", "--format=%s", ref);
/** All that a merge that did not happen must leave as it was. */
const world = () => [
  t.raw(t.path, "for-each-ref"),
  status(),
  t.raw(t.path, "rev-parse", "HEAD"),
  existsSync(join(t.gitDir, "index.lock")),
];

describe("how the commits come in", () => {
  it("moves the branch where that is enough, and the developer's files with it", async () => {
    const tip = commit(lane, "a.txt", "from the lane\n");
    expect(await merge()).toMatchObject({ strategy: "ff", after: tip, commits: 1, flagged: [] });
    expect([log(), status(), readFileSync(join(t.path, "a.txt"), "utf8")]).toEqual([
      "change a.txt\nfirst",
      "",
      "from the lane\n",
    ]);
  });

  it("makes a merge commit in the developer's name where both have gone on", async () => {
    commit(t.path, "main.txt", "m\n");
    const tip = commit(lane, "lane.txt", "l\n");
    const { strategy, after, before } = await merge();
    expect(strategy).toBe("merge");
    expect(t.raw(t.path, "log", "-1", "--format=%an %ae|%s|%P", after)).toBe(
      `T t@example.test|Merge lane 'l' into main|${before} ${tip}`,
    );
    expect([status(), existsSync(join(t.path, "lane.txt"))]).toEqual(["", true]);
  });

  it("squashes to one commit with the subjects, or with the given message", async () => {
    commit(lane, "one.txt", "1\n", "one\n\nbody");
    commit(lane, "two.txt", "2\n", "two \u001b[31mred");
    await merge({ strategy: "squash" });
    expect(t.raw(t.path, "log", "-1", "--format=%B|%P", "main")).toBe(
      `Squash lane 'l'\n\n* one\n* two [31mred\n|${t.raw(t.path, "rev-parse", "main^")}`,
    );
    expect(log()).toBe("Squash lane 'l'\nfirst");
    commit(lane, "three.txt", "3\n");
    await merge({ strategy: "squash", message: "said so" });
    expect(log()).toBe("said so\nSquash lane 'l'\nfirst");
    expect(status()).toBe("");
  });

  it("has nothing to do when the branch has it all, or is the lane's own", async () => {
    expect(await merge()).toMatchObject({ strategy: "none", commits: 0 });
    commit(lane, "x.txt", "x\n");
    expect(await merge({ into: "l" })).toMatchObject({ strategy: "none", commits: 0 });
  });

  it("moves a branch that nobody has checked out, and no work tree", async () => {
    t.raw(t.path, "branch", "release");
    const tip = commit(lane, "x.txt", "x\n");
    await merge({ into: "release" });
    expect([t.raw(t.path, "rev-parse", "release"), log("main"), status()]).toEqual([tip, "first", ""]);
  });

  it("brings along another work tree that has the branch checked out, but never a lane's", async () => {
    const other = join(t.root, "other");
    t.raw(t.path, "worktree", "add", "--quiet", "-b", "review", other);
    commit(lane, "x.txt", "x\n");
    expect((await refused(merge({ into: "review", ofLanes: [lane, other] }))).message).toContain(
      "checked out in a lane",
    );
    await merge({ into: "review" });
    expect([status(other), existsSync(join(other, "x.txt")), existsSync(join(t.path, "x.txt"))]).toEqual([
      "",
      true,
      false,
    ]);
  });

  it.runIf(process.getuid?.() === 0)(
    "leaves everything with its owner when root merges for somebody else",
    async () => {
      commit(t.path, "main.txt", "m\n");
      commit(lane, "lane.txt", "l\n");
      const tip = head();
      // Their own home is not where the test's is.
      t.raw(t.path, "config", "user.name", "U");
      t.raw(t.path, "config", "user.email", "u@example.test");
      execFileSync("chown", ["-R", "1000:1000", t.root]);
      expect(await merge({ head: tip })).toMatchObject({ strategy: "merge", commits: 1 });
      expect(execFileSync("find", [t.root, "!", "-uid", "1000", "!", "-path", `${t.root}/scratch*`]).toString()).toBe(
        "",
      );
      expect(existsSync(join(t.path, "lane.txt"))).toBe(true);
    },
  );

  it("only says what it would do on a dry run", async () => {
    commit(lane, "package.json", '{"scripts":{"postinstall":"x"}}');
    const before = world();
    const plan = await merge({ dryRun: true });
    expect(plan).toMatchObject({ strategy: "ff", commits: 1 });
    expect(plan.flagged.map(({ path }) => path)).toEqual(["package.json"]);
    expect(world()).toEqual(before);
  });
});

describe("what it refuses", () => {
  it("a conflict: files named, nothing changed, no object left", async () => {
    commit(t.path, "a.txt", "ours\n");
    commit(lane, "a.txt", "theirs\n");
    const before = [...world(), t.raw(t.path, "count-objects", "-v")];
    const error = await refused(merge());
    expect([error.code, error.retry, error.details.files]).toEqual(["git.conflict", "terminal", ["a.txt"]]);
    expect([...world(), t.raw(t.path, "count-objects", "-v")]).toEqual(before);
  });

  it("a move where both have gone on, with --ff", async () => {
    commit(t.path, "main.txt", "m\n");
    commit(lane, "lane.txt", "l\n");
    expect((await refused(merge({ strategy: "ff" }))).message).toContain("1 commit that the lane lacks");
  });

  it("to overwrite what the developer has not committed: edited, staged, untracked or ignored", async () => {
    commit(t.path, ".gitignore", "ignored.txt\n");
    t.raw(lane, "reset", "--quiet", "--hard", "main");
    for (const file of ["a.txt", "sub/b.txt", "new.txt"]) t.write(join(lane, file), "lane\n");
    commit(lane, "ignored.txt", "lane\n");
    t.raw(lane, "add", "-f", "ignored.txt");
    t.raw(lane, "commit", "--quiet", "--amend", "--no-edit");
    t.write(join(t.path, "a.txt"), "mine\n");
    t.write(join(t.path, "sub", "b.txt"), "mine\n");
    t.raw(t.path, "add", "sub/b.txt");
    t.write(join(t.path, "new.txt"), "mine\n");
    t.write(join(t.path, "ignored.txt"), "mine\n");
    const before = world();
    const error = await refused(merge());
    expect(error.details.files).toEqual(["a.txt", "ignored.txt", "new.txt", "sub/b.txt"]);
    expect(world()).toEqual(before);
    for (const file of ["a.txt", "sub/b.txt", "new.txt", "ignored.txt"]) {
      expect(readFileSync(join(t.path, file), "utf8")).toBe("mine\n");
    }
  });

  it("nothing because of other work of the developer's, which stays", async () => {
    t.write(join(t.path, "sub", "b.txt"), "mine\n");
    t.write(join(t.path, "note.txt"), "mine\n");
    t.write(join(t.path, "staged.txt"), "mine\n");
    t.raw(t.path, "add", "staged.txt");
    commit(lane, "a.txt", "lane\n");
    await merge();
    expect(status()).toBe("A  staged.txt\n M sub/b.txt\n?? note.txt");
    expect(readFileSync(join(t.path, "a.txt"), "utf8")).toBe("lane\n");
  });

  it("no change of a file to a folder or a link and back, unless untracked files would go with it", async () => {
    rmSync(join(lane, "sub"), { recursive: true });
    symlinkSync("a.txt", join(lane, "sub"));
    rmSync(join(lane, "a.txt"));
    commit(lane, "a.txt/deep.txt", "x\n");
    t.write(join(t.path, "sub", "mine.txt"), "mine\n");
    expect((await refused(merge({ allowFlagged: true }))).code).toBe("git.conflict");
    expect(readFileSync(join(t.path, "sub", "mine.txt"), "utf8")).toBe("mine\n");
    rmSync(join(t.path, "sub", "mine.txt"));
    await merge({ allowFlagged: true });
    expect([status(), t.raw(t.path, "ls-files")]).toEqual(["", "a.txt/deep.txt\nsub"]);
    rmSync(join(lane, "sub"));
    commit(lane, "sub/b.txt", "back\n");
    await merge();
    expect([status(), t.raw(t.path, "ls-files")]).toEqual(["", "a.txt/deep.txt\nsub/b.txt"]);
  });

  it("to go on amid another command of git, and while the index is locked", async () => {
    commit(lane, "a.txt", "lane\n");
    writeFileSync(join(t.gitDir, "index.lock"), "");
    expect((await refused(merge())).message).toContain("index.lock");
    rmSync(join(t.gitDir, "index.lock"));
    writeFileSync(join(t.gitDir, "MERGE_HEAD"), `${head()}\n`);
    expect((await refused(merge())).message).toContain("MERGE_HEAD");
  });

  it("files that a filter makes, which would arrive without it", async () => {
    commit(lane, ".gitattributes", "*.bin filter=lfs\n");
    commit(lane, "x.bin", "pointer\n");
    const error = await refused(merge({ allowFlagged: true }));
    expect([error.details.files, error.message]).toEqual([["x.bin"], expect.stringContaining("filter")]);
  });

  it("flagged files, until somebody says that they have looked", async () => {
    commit(lane, ".vscode/tasks.json", "{}");
    const before = world();
    const error = await refused(merge());
    expect([error.code, error.details.flagged]).toEqual([
      "git.flagged",
      [expect.stringMatching(/^\.vscode\/tasks\.json: /)],
    ]);
    expect(world()).toEqual(before);
    expect((await merge({ allowFlagged: true })).flagged).toHaveLength(1);
  });

  it("a branch that is not there, whatever its name looks like", async () => {
    commit(lane, "a.txt", "lane\n");
    for (const into of ["nope", "--help", "-D", "main^{tree}", "a b", "x\u001b[31m"]) {
      expect((await refused(merge({ into }))).code).toBe("usage.invalid");
    }
  });

  it("to ask the repository's hooks, filters and merge drivers; a driver's file is a conflict", async () => {
    const canary = join(t.root, "canary");
    const trap = join(t.root, "trap");
    writeFileSync(trap, `#!/bin/sh\necho x >> ${canary}\nexit 0\n`);
    chmodSync(trap, 0o755);
    for (const hook of [
      "post-checkout",
      "post-merge",
      "reference-transaction",
      "pre-merge-commit",
      "commit-msg",
      "post-index-change",
    ]) {
      rmSync(join(t.gitDir, "hooks", hook), { force: true });
      symlinkSync(trap, join(t.gitDir, "hooks", hook));
    }
    for (const [key, value] of [
      ["merge.evil.driver", trap],
      ["core.fsmonitor", trap],
      ["core.editor", trap],
      ["gpg.program", trap],
    ] as const) {
      t.raw(t.path, "config", key, value);
    }
    t.raw(
      t.path,
      "-c",
      "core.hooksPath=/dev/null",
      "-c",
      "core.fsmonitor=",
      "commit",
      "--quiet",
      "--allow-empty",
      "-m",
      "x",
    );
    const quiet = (where: string, file: string, text: string) => {
      t.write(join(where, file), text);
      t.raw(where, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=", "add", "--all");
      t.raw(where, "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=", "commit", "--quiet", "-m", file);
    };
    quiet(t.path, ".gitattributes", "a.txt merge=evil\n");
    quiet(t.path, "a.txt", "one\nours\n");
    quiet(lane, "a.txt", "lane\none\n");
    rmSync(canary, { force: true });
    expect((await refused(merge())).details.files).toEqual(["a.txt"]);
    quiet(lane, "a.txt", "one\n");
    quiet(lane, "fresh.txt", "x\n");
    rmSync(canary, { force: true });
    expect(await merge({ allowFlagged: true })).toMatchObject({ strategy: "merge" });
    expect(existsSync(canary)).toBe(false);
  });
});

describe("what happens in between", () => {
  /** Dies, or does something, when git is called with this subcommand. */
  const disturbed = (name: string, act: (call: Parameters<HardenedGit>[0]) => Promise<void> | void): HardenedGit => {
    let done = false;
    return async (call) => {
      if (!done && call.args[0] === name) {
        done = true;
        await act(call);
      }
      return t.git(call);
    };
  };
  class Death extends Error {}

  it("follows a branch that moved meanwhile, once", async () => {
    commit(lane, "lane.txt", "l\n");
    const other = () => {
      const tree = t.raw(t.path, "rev-parse", "main^{tree}");
      const moved = t.raw(t.path, "commit-tree", tree, "-p", "main", "-m", "meanwhile");
      t.raw(t.path, "update-ref", "refs/heads/main", moved);
    };
    expect(await merge({}, disturbed("update-ref", other))).toMatchObject({ strategy: "merge" });
    expect([log(), status()]).toEqual(["Merge lane 'l' into main\nmeanwhile\nchange lane.txt\nfirst", ""]);
    commit(lane, "more.txt", "l\n");
    const always: HardenedGit = async (call) => {
      if (call.args[0] === "update-ref") other();
      return t.git(call);
    };
    expect(await refused(merge({}, always))).toMatchObject({ code: "git.conflict", retry: "retryable" });
    expect([status(), existsSync(join(t.path, "more.txt"))]).toEqual(["", false]);
  });

  it.each(["commit-tree", "read-tree", "update-index", "update-ref"])(
    "is whole after a death before %s: the branch has not moved, and the next try completes",
    async (name) => {
      commit(t.path, "main.txt", "m\n");
      commit(lane, "a.txt", "lane\n");
      commit(lane, "new.txt", "lane\n");
      const before = t.raw(t.path, "rev-parse", "main");
      const dies = () => {
        throw new Death();
      };
      await expect(merge({}, disturbed(name, dies))).rejects.toThrow(Death);
      expect(t.raw(t.path, "rev-parse", "main")).toBe(before);
      await merge();
      expect([status(), readFileSync(join(t.path, "a.txt"), "utf8")]).toEqual(["", "lane\n"]);
      expect(log().split("\n")[0]).toBe("Merge lane 'l' into main");
    },
  );

  it("completes what a death amid the checkout has left: some files written, the index not", async () => {
    for (const file of ["a.txt", "new.txt", "deep/er.txt"]) commit(lane, file, "lane\n");
    t.raw(lane, "rm", "--quiet", "sub/b.txt");
    t.raw(lane, "commit", "--quiet", "-m", "without b");
    t.write(join(t.path, "a.txt"), "lane\n");
    t.write(join(t.path, "new.txt"), "lane\n");
    rmSync(join(t.path, "sub", "b.txt"));
    await merge();
    expect([status(), t.raw(t.path, "ls-files")]).toEqual(["", "a.txt\ndeep/er.txt\nnew.txt"]);
  });
});
