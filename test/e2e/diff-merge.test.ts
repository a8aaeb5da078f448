import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import type { ApiLane } from "../../internal/protocol/api.ts";
import type { ApiLaneDiff, ApiLaneMerge } from "../../internal/protocol/api-git.ts";
import { gitSceneBefore } from "../support/git-scene.ts";
import { eventually } from "../support/installation.ts";

describe("what a lane has changed, and where it goes", () => {
  let lane: ApiLane;
  const scene = gitSceneBefore(async ({ home }) => {
    lane = await home.json<ApiLane>(["add", "day"]);
  });
  const { git, feed } = scene;
  const sh = (script: string) => scene.sh("day", script);
  const diff = (...args: string[]) => scene.home.json<ApiLaneDiff>(["diff", "day", ...args]);
  it("shows committed and uncommitted work against the branch that the repository had", async () => {
    expect(await diff()).toMatchObject({ files: [], base: { ref: "main" }, stale: null });
    await sh("echo one > one.txt; git add .; git commit -qm one; echo more >> hello.txt; echo new > new.txt");
    const found = await diff();
    expect(found.files.map(({ path, status, uncommitted }) => [path, status, uncommitted])).toEqual([
      ["hello.txt", "modified", true],
      ["new.txt", "added", true],
      ["one.txt", "added", false],
    ]);
    expect(found.head).toBe(await git(scene.repo, "rev-parse", "day"));
    const stat = await scene.home.lane(["diff", "day", "--stat"]);
    expect(stat.stdout).toBe(
      " hello.txt |   1 +  uncommitted\n new.txt   |   1 +  uncommitted\n one.txt   |   1 +\n 3 files changed, 3 insertions(+)\n",
    );
    expect((await scene.home.lane(["diff", "--stat", "--", "one.txt"], { cwd: lane.worktree })).stdout).toContain(
      "1 file ",
    );
  });

  it("gives a patch that git apply takes", async () => {
    const clone = join(scene.home.dir, "clone");
    await execa("git", ["clone", "-q", "-b", "main", scene.repo, clone]);
    const patch = await scene.home.lane(["diff", "day"]);
    await execa("git", ["-C", clone, "apply", "-"], { input: patch.stdout });
    expect(await readFile(join(clone, "hello.txt"), "utf8")).toBe("hello\nmore\n");
    expect(existsSync(join(clone, "new.txt"))).toBe(true);
  });

  it("merges what is committed, says what is not, and leaves the developer's work tree clean", async () => {
    const plan = await scene.home.json<ApiLaneMerge>(["merge", "day", "--dry-run"]);
    expect(plan).toMatchObject({ into: "main", strategy: "ff", commits: 1, uncommitted: ["hello.txt", "new.txt"] });
    expect(await git(scene.repo, "log", "-1", "--format=%s", "main")).toBe("first");
    const merged = await scene.home.lane(["merge", "day"]);
    expect(merged).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("merged into main: fast-forward, 1 commit"),
    });
    expect(merged.stderr).toContain("hello.txt, new.txt");
    expect([
      await git(scene.repo, "status", "--porcelain"),
      await readFile(join(scene.repo, "one.txt"), "utf8"),
    ]).toEqual(["", "one\n"]);
    expect((await scene.home.lane(["merge", "day"])).stdout).toContain("has all commits");
    expect((await feed("lane.merged")).map(({ data }) => data)).toMatchObject([{ into: "main", strategy: "ff" }]);
  });

  it("refuses a conflict with the files named, and flagged files until they are allowed", async () => {
    await sh("git checkout -q hello.txt; rm new.txt; echo lane > one.txt; git commit -qam lane");
    await writeFile(join(scene.repo, "one.txt"), "main\n");
    await git(scene.repo, "commit", "-qam", "main");
    const before = await git(scene.repo, "for-each-ref");
    const conflict = await scene.home.lane(["merge", "day"]);
    expect(conflict).toMatchObject({ code: 5, stderr: expect.stringContaining("files:\n  one.txt") });
    expect([await git(scene.repo, "for-each-ref"), await git(scene.repo, "status", "--porcelain")]).toEqual([
      before,
      "",
    ]);
    await sh(
      "git reset -q --hard HEAD~1; mkdir .vscode; echo '{}' > .vscode/tasks.json; git add .; git commit -qm tasks",
    );
    expect((await diff("--stat")).files[0]).toMatchObject({
      path: ".vscode/tasks.json",
      flags: [{ code: "editor-task" }],
    });
    const flagged = await scene.home.lane(["merge", "day"]);
    expect(flagged).toMatchObject({ code: 5, stderr: expect.stringContaining(".vscode/tasks.json: VS Code") });
    const merged = await scene.home.json<ApiLaneMerge>([
      "merge",
      "day",
      "--allow-flagged",
      "--squash",
      "-m",
      "all of it",
    ]);
    expect(merged).toMatchObject({ strategy: "squash", commits: 1 });
    expect(await git(scene.repo, "log", "-1", "--format=%s|%an|%P", "main")).toBe(`all of it|Ada|${merged.before}`);
    expect(await git(scene.repo, "status", "--porcelain")).toBe("");
  });

  it("pushes after a job that succeeded, tells a failure, and tries again after the next one", async () => {
    const remote = join(scene.home.dir, "remote.git");
    await execa("git", ["init", "-q", "--bare", remote]);
    await scene.home.json(["set", "day", "onSuccess=push"]);
    const pushed = (ok: boolean, tip: string) =>
      eventually(
        async () => {
          const { push } = (await scene.home.json<ApiLane>(["show", "day"])).git ?? {};
          return push?.ok === ok && push.tip === tip;
        },
        { what: `a push that ${ok ? "went well" : "failed"}`, withinMs: 20_000 },
      );
    await sh("git commit -q --allow-empty -m pushed");
    const first = await git(scene.repo, "rev-parse", "day");
    await pushed(false, first);
    expect((await feed("lane.push_failed")).map(({ data }) => data)).toMatchObject([{ remote: null, branch: "day" }]);
    await git(scene.repo, "remote", "add", "origin", remote);
    await sh("true");
    await pushed(true, first);
    expect(await git(remote, "rev-parse", "day")).toBe(first);
    await sh("git commit -q --amend --allow-empty -m 'another one'");
    await pushed(false, await git(scene.repo, "rev-parse", "day"));
    expect(await git(remote, "rev-parse", "day")).toBe(first);
    expect((await scene.home.lane(["show", "day"])).stdout).toContain("non-fast-forward");
  });

  it("refuses to merge a lane that cannot be asked for its commits and has more than was taken over", async () => {
    await sh("echo open > open.txt");
    await scene.home.json(["stop", "day"]);
    expect(await scene.home.lane(["merge", "day"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("lane start day"),
    });
    expect(await diff("--stat")).toMatchObject({ stale: expect.stringContaining("not in reach") });
  });
});
