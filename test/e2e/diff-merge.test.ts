import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiFeedEntry, ApiLane } from "../../internal/protocol/api.ts";
import type { ApiLaneDiff, ApiLaneMerge } from "../../internal/protocol/api-git.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";

describe("what a lane has changed, and where it goes", () => {
  let home: Installation;
  let repo: string;
  let lane: ApiLane;

  beforeAll(async () => {
    home = await newInstallation();
    repo = await home.repository();
    await writeFile(join(home.env.HOME as string, ".gitconfig"), "[user]\n\tname = Ada\n\temail = ada@example.test\n");
    await home.up();
    await home.json(["workspace", "add", repo]);
    lane = await home.json<ApiLane>(["add", "day"]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());

  const sh = async (script: string) => {
    const result = await home.lane(["run", "day", "--", "sh", "-ec", script]);
    expect(result.code, result.stderr).toBe(0);
  };
  const git = async (where: string, ...args: string[]) =>
    (await execa("git", ["-C", where, ...args], { env: { HOME: home.env.HOME as string } })).stdout;
  const diff = (...args: string[]) => home.json<ApiLaneDiff>(["diff", "day", ...args]);
  const feed = async (type: string) =>
    (await home.lane(["events", "--json"])).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ApiFeedEntry)
      .filter((entry) => entry.type === type);

  it("shows committed and uncommitted work against the branch that the repository had", async () => {
    expect(await diff()).toMatchObject({ files: [], base: { ref: "main" }, stale: null });
    await sh("echo one > one.txt; git add .; git commit -qm one; echo more >> hello.txt; echo new > new.txt");
    const found = await diff();
    expect(found.files.map(({ path, status, uncommitted }) => [path, status, uncommitted])).toEqual([
      ["hello.txt", "modified", true],
      ["new.txt", "added", true],
      ["one.txt", "added", false],
    ]);
    expect(found.head).toBe(await git(repo, "rev-parse", "day"));
    const stat = await home.lane(["diff", "day", "--stat"]);
    expect(stat.stdout).toBe(
      " hello.txt |   1 +  uncommitted\n new.txt   |   1 +  uncommitted\n one.txt   |   1 +\n 3 files changed, 3 insertions(+)\n",
    );
    expect((await home.lane(["diff", "--stat", "--", "one.txt"], { cwd: lane.worktree })).stdout).toContain("1 file ");
  });

  it("gives a patch that git apply takes", async () => {
    const clone = join(home.dir, "clone");
    await execa("git", ["clone", "-q", "-b", "main", repo, clone]);
    const patch = await home.lane(["diff", "day"]);
    await execa("git", ["-C", clone, "apply", "-"], { input: patch.stdout });
    expect(await readFile(join(clone, "hello.txt"), "utf8")).toBe("hello\nmore\n");
    expect(existsSync(join(clone, "new.txt"))).toBe(true);
  });

  it("merges what is committed, says what is not, and leaves the developer's work tree clean", async () => {
    const plan = await home.json<ApiLaneMerge>(["merge", "day", "--dry-run"]);
    expect(plan).toMatchObject({ into: "main", strategy: "ff", commits: 1, uncommitted: ["hello.txt", "new.txt"] });
    expect(await git(repo, "log", "-1", "--format=%s", "main")).toBe("first");
    const merged = await home.lane(["merge", "day"]);
    expect(merged).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("merged into main: fast-forward, 1 commit"),
    });
    expect(merged.stderr).toContain("hello.txt, new.txt");
    expect([await git(repo, "status", "--porcelain"), await readFile(join(repo, "one.txt"), "utf8")]).toEqual([
      "",
      "one\n",
    ]);
    expect((await home.lane(["merge", "day"])).stdout).toContain("has all commits");
    expect((await feed("lane.merged")).map(({ data }) => data)).toMatchObject([{ into: "main", strategy: "ff" }]);
  });

  it("refuses a conflict with the files named, and flagged files until they are allowed", async () => {
    await sh("git checkout -q hello.txt; rm new.txt; echo lane > one.txt; git commit -qam lane");
    await writeFile(join(repo, "one.txt"), "main\n");
    await git(repo, "commit", "-qam", "main");
    const before = await git(repo, "for-each-ref");
    const conflict = await home.lane(["merge", "day"]);
    expect(conflict).toMatchObject({ code: 5, stderr: expect.stringContaining("files:\n  one.txt") });
    expect([await git(repo, "for-each-ref"), await git(repo, "status", "--porcelain")]).toEqual([before, ""]);
    await sh(
      "git reset -q --hard HEAD~1; mkdir .vscode; echo '{}' > .vscode/tasks.json; git add .; git commit -qm tasks",
    );
    expect((await diff("--stat")).files[0]).toMatchObject({
      path: ".vscode/tasks.json",
      flags: [{ code: "editor-task" }],
    });
    const flagged = await home.lane(["merge", "day"]);
    expect(flagged).toMatchObject({ code: 5, stderr: expect.stringContaining(".vscode/tasks.json: VS Code") });
    const merged = await home.json<ApiLaneMerge>(["merge", "day", "--allow-flagged", "--squash", "-m", "all of it"]);
    expect(merged).toMatchObject({ strategy: "squash", commits: 1 });
    expect(await git(repo, "log", "-1", "--format=%s|%an|%P", "main")).toBe(`all of it|Ada|${merged.before}`);
    expect(await git(repo, "status", "--porcelain")).toBe("");
  });

  it("pushes after a job that succeeded, tells a failure, and tries again after the next one", async () => {
    const remote = join(home.dir, "remote.git");
    await execa("git", ["init", "-q", "--bare", remote]);
    await home.json(["set", "day", "onSuccess=push"]);
    const pushed = (ok: boolean, tip: string) =>
      eventually(
        async () => {
          const { push } = (await home.json<ApiLane>(["show", "day"])).git ?? {};
          return push?.ok === ok && push.tip === tip;
        },
        { what: `a push that ${ok ? "went well" : "failed"}`, withinMs: 20_000 },
      );
    await sh("git commit -q --allow-empty -m pushed");
    const first = await git(repo, "rev-parse", "day");
    await pushed(false, first);
    expect((await feed("lane.push_failed")).map(({ data }) => data)).toMatchObject([{ remote: null, branch: "day" }]);
    await git(repo, "remote", "add", "origin", remote);
    await sh("true");
    await pushed(true, first);
    expect(await git(remote, "rev-parse", "day")).toBe(first);
    await sh("git commit -q --amend --allow-empty -m 'another one'");
    await pushed(false, await git(repo, "rev-parse", "day"));
    expect(await git(remote, "rev-parse", "day")).toBe(first);
    expect((await home.lane(["show", "day"])).stdout).toContain("non-fast-forward");
  });

  it("refuses to merge a lane that cannot be asked for its commits and has more than was taken over", async () => {
    await sh("echo open > open.txt");
    await home.json(["stop", "day"]);
    expect(await home.lane(["merge", "day"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("lane start day"),
    });
    expect(await diff("--stat")).toMatchObject({ stale: expect.stringContaining("not in reach") });
  });
});
