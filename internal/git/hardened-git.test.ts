import { chmodSync, existsSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addWorktree } from "./add-worktree.ts";
import { describeRepository } from "./describe-repository.ts";
import { hardenedGit } from "./hardened-git.ts";
import { removeWorktree } from "./remove-worktree.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { worktreeStatus } from "./worktree-status.ts";

let t: TestRepo;
beforeEach(() => {
  t = makeTestRepo();
});
afterEach(() => t.dispose());

const canary = () => join(t.root, "canary");
const sprung = () =>
  existsSync(canary()) ? [...new Set(readFileSync(canary(), "utf8").trim().split("\n"))].sort() : [];

const HOOKS = [
  "post-checkout",
  "post-index-change",
  "reference-transaction",
  "pre-commit",
  "post-commit",
  "fsmonitor-watchman",
];

/** A repository whose configuration, hooks and attributes name a program wherever git knows such a place. */
function makeHostile(): void {
  const trap = (name: string) => {
    const script = join(t.root, "traps", name.replace(/[^\w-]/g, "_"));
    t.write(
      script,
      `#!/bin/sh\necho "${name}" >> ${canary()}\n${/^(smudge|clean)/.test(name) ? "cat" : name === "uploadpack" ? "exit 1" : "exit 0"}\n`,
    );
    chmodSync(script, 0o755);
    return script;
  };
  for (const hook of HOOKS) {
    const target = join(t.gitDir, "hooks", hook);
    rmSync(target, { force: true });
    symlinkSync(trap(`hook-${hook}`), target);
  }
  t.write(
    join(t.path, ".gitattributes"),
    "*.txt filter=evil diff=evil\n*.md filter=a=b\n*.late filter=late\n*.lane filter=lane\n",
  );
  for (const name of ["x.md", "x.late", "x.lane"]) t.write(join(t.path, name), "text\n");
  t.raw(t.path, "-c", "core.hooksPath=/dev/null", "add", ".");
  t.raw(t.path, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "attributes");
  const filter = (name: string) =>
    `[filter "${name}"]\n\tclean = ${trap(`clean-${name}`)}\n\tsmudge = ${trap(`smudge-${name}`)}\n\trequired = true\n`;
  t.write(join(t.root, "late.inc"), filter("late"));
  t.write(join(t.root, "lane.inc"), filter("lane"));
  const config = readFileSync(join(t.gitDir, "config"), "utf8");
  t.write(
    join(t.gitDir, "config"),
    `${config}
[core]
	fsmonitor = ${trap("fsmonitor")}
	pager = ${trap("pager")}
	editor = ${trap("editor")}
	sshCommand = ${trap("ssh")}
	askPass = ${trap("askpass")}
[credential]
	helper = !${trap("credential")}
[alias]
	status = !${trap("alias")}
	lane = !${trap("alias")}
[diff]
	external = ${trap("diff-external")}
[diff "evil"]
	command = ${trap("diff-command")}
	textconv = ${trap("textconv")}
[gpg]
	program = ${trap("gpg")}
[log]
	showSignature = true
[protocol "file"]
	allow = always
[protocol "ext"]
	allow = always
[extensions]
	partialClone = origin
[remote "origin"]
	url = ${join(t.root, "nowhere")}
	promisor = true
	uploadpack = ${trap("uploadpack")}
[includeIf "gitdir:**/worktrees/**"]
	path = ${join(t.root, "late.inc")}
[includeIf "onbranch:lane1"]
	path = ${join(t.root, "lane.inc")}
${filter("evil")}${filter("a=b")}`,
  );
}

describe("a hostile repository", () => {
  it("springs no trap in any call of the product", async () => {
    makeHostile();
    const lane = join(t.root, "lanes", "lane1");
    await describeRepository(t.git, t.path, {});
    await addWorktree(t.git, { repo: t, path: lane, branch: "lane1", from: "HEAD" });
    expect(readFileSync(join(lane, "a.txt"), "utf8")).toBe("one\n");
    // Same length and another time: git must read the file, through its clean filter if it may.
    for (const name of ["a.txt", "x.md", "x.late", "x.lane"]) t.write(join(lane, name), "eno\n");
    await worktreeStatus(t.git, { repo: t, path: lane, base: "main" });
    const own = join(t.gitDir, "worktrees", "lane1");
    for (const args of [
      ["diff", "HEAD", "--"],
      ["log", "-p", "-3"],
      ["show", "HEAD"],
      ["status"],
      ["branch", "scratch"],
    ]) {
      await t.git({ gitDir: own, workTree: lane, cwd: lane, args });
    }
    const missing = "1234567890123456789012345678901234567890";
    await t.git({ gitDir: t.gitDir, cwd: t.gitDir, args: ["cat-file", "-e", missing], okExits: [1, 128] });
    for (const from of ["origin", "ext::sh -c id"]) {
      const fetching = t.git({ gitDir: t.gitDir, cwd: t.gitDir, args: ["fetch", "--", from] });
      await expect(fetching).rejects.toThrow(/transport '\w+' not allowed/);
    }
    await removeWorktree(t.git, { repo: t, path: lane, force: true });
    expect(sprung()).toEqual([]);
  });

  it("control: plain git springs them", () => {
    makeHostile();
    const lane = join(t.root, "lanes", "lane1");
    const attempt = (cwd: string, ...args: string[]) => {
      try {
        t.raw(cwd, ...args);
      } catch {
        // many traps make git fail as well
      }
    };
    attempt(t.path, "worktree", "add", lane, "-b", "lane1");
    t.write(join(lane, "a.txt"), "eno\n");
    attempt(lane, "status");
    attempt(lane, "diff");
    attempt(lane, "log", "-p", "-1");
    attempt(t.path, "cat-file", "-e", "1234567890123456789012345678901234567890");
    expect(sprung()).toEqual(
      expect.arrayContaining([
        "fsmonitor",
        "hook-reference-transaction",
        "smudge-evil",
        "diff-command",
        "uploadpack",
        "smudge-late",
      ]),
    );
  });

  it("a bare repository hidden inside a work tree is not entered", async () => {
    const nested = join(t.path, "sub", "nested");
    t.raw(t.path, "clone", "--quiet", "--bare", t.path, nested);
    t.write(join(t.root, "trap"), `#!/bin/sh\necho nested >> ${canary()}\n`);
    chmodSync(join(t.root, "trap"), 0o755);
    t.raw(nested, "config", "core.fsmonitor", join(t.root, "trap"));
    t.raw(nested, "config", "core.worktree", t.path);
    t.raw(nested, "config", "core.bare", "false");
    await expect(describeRepository(t.git, nested, {})).rejects.toMatchObject({ code: "workspace.invalid" });
    await expect(t.git({ cwd: nested, args: ["status"] })).rejects.toMatchObject({ code: "git.failed" });
    expect(sprung()).toEqual([]);
    t.raw(nested, "status");
    expect(sprung()).toEqual(["nested"]);
  });
});

describe("hardenedGit", () => {
  it("hands on nothing of our environment", async () => {
    const git = hardenedGit({ PATH: `.:relative:${process.env.PATH}`, HOME: t.root });
    const shown = await git({ gitDir: t.gitDir, cwd: t.path, args: ["var", "GIT_PAGER"] });
    expect(shown.stdout).toBe("cat");
    t.write(join(t.path, "git"), `#!/bin/sh\necho local >> ${canary()}\n`);
    chmodSync(join(t.path, "git"), 0o755);
    await git({ gitDir: t.gitDir, cwd: t.path, args: ["rev-parse", "HEAD"] });
    expect(sprung()).toEqual([]);
  });

  it("tells a missing git, a missing folder, a failure and a cancel apart", async () => {
    const nowhere = hardenedGit({ PATH: join(t.root, "nobin"), HOME: t.root });
    await expect(nowhere({ cwd: t.path, args: ["status"] })).rejects.toMatchObject({ code: "git.missing" });
    await expect(t.git({ cwd: join(t.root, "none"), args: ["status"] })).rejects.toThrow(/no such folder/);
    await expect(
      t.git({ gitDir: t.gitDir, cwd: t.path, args: ["rev-parse", "--verify", "nope"] }),
    ).rejects.toMatchObject({
      code: "git.failed",
      message: `git rev-parse failed in ${t.path}: Needed a single revision`,
      details: { exitCode: 128 },
    });
    const signal = AbortSignal.abort();
    await expect(t.git({ cwd: t.path, args: ["status"], signal })).rejects.toMatchObject({ code: "cancelled" });
    await expect(t.git({ cwd: t.path, args: ["-c", "x=y", "status"] })).rejects.toMatchObject({ code: "internal.bug" });
  });
});
