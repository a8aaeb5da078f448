import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiLaneDisk, ApiPrunableLane, ApiRemovedLane } from "../../internal/protocol/api-upkeep.ts";
import type { ApiFeedEntry, ApiLane, ApiWorkspace } from "../../internal/protocol/index.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";

describe("lanes come and go", () => {
  let home: Installation;
  let repo: string;

  beforeAll(async () => {
    home = await newInstallation();
    repo = await home.repository();
    await writeFile(join(home.env.HOME as string, ".gitconfig"), "[user]\n\tname = Ada\n\temail = ada@example.test\n");
    await home.up();
    await home.json(["workspace", "add", repo]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());

  const git = async (cwd: string, ...args: string[]) =>
    (await execa("git", ["-C", cwd, ...args], { env: { HOME: home.env.HOME as string } })).stdout;
  const sh = async (lane: string, script: string) => {
    const result = await home.lane(["run", lane, "--", "sh", "-ec", script]);
    expect(result.code, result.stderr).toBe(0);
    return result.stdout.trimEnd();
  };
  const names = async () => (await home.json<ApiLane[]>(["ls"])).map(({ name }) => name);
  const events = async (type: string) =>
    (await home.lane(["events", "--json"])).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ApiFeedEntry)
      .filter((entry) => entry.type === type);

  it("clones a repository and brings commits of a bare, a shallow, a sparse and a SHA-256 one over", async () => {
    const at = (name: string) => join(home.dir, name);
    await execa("git", ["clone", "-q", "--bare", repo, at("bare.git")]);
    await git(repo, "commit", "-q", "--allow-empty", "-m", "second");
    await execa("git", ["clone", "-q", "--depth=1", `file://${repo}`, at("shallow")]);
    await execa("git", ["clone", "-q", repo, at("sparse")]);
    await mkdir(at("sparse/out"));
    await writeFile(at("sparse/out/far.txt"), "far\n");
    await git(at("sparse"), "add", ".");
    await git(at("sparse"), "commit", "-qm", "far");
    await git(at("sparse"), "sparse-checkout", "set", "--cone", "in");
    await execa("git", ["init", "-q", "-b", "main", "--object-format=sha256", at("sha256")]);
    await git(at("sha256"), "commit", "-q", "--allow-empty", "-m", "first");
    const cloned = await home.json<ApiWorkspace>(["workspace", "add", `file://${repo}`, "--name", "cloned"]);
    expect(cloned.path).toBe(join(home.env.XDG_DATA_HOME as string, "lanekeeper", "repositories", "repo"));
    for (const name of ["bare.git", "shallow", "sparse", "sha256"]) await home.json(["workspace", "add", at(name)]);
    const workspaces = await home.json<ApiWorkspace[]>(["workspace", "ls"]);
    const kinds = workspaces.filter(({ path }) => path !== repo);
    expect(kinds.map(({ name }) => name)).toEqual(["cloned", "bare", "shallow", "sparse", "sha256"]);
    for (const { name, path } of kinds) {
      const lane = await home.json<ApiLane>(["add", `of-${name}`, "-w", name]);
      const clean = await sh(
        lane.name,
        "git status --porcelain; ls; echo 1 > new.txt; git add --sparse .; git commit -qm mine",
      );
      expect(clean).not.toMatch(/^ ?[MD?]|far/m);
      expect(await git(path, "log", "-1", "--format=%s", lane.branch), name).toBe("mine");
      expect(await git(lane.worktree, "status", "--porcelain"), name).toBe("");
      await home.json(["rm", lane.name, "--yes"]);
    }
    expect(await readdir(join(cloned.path, ".."))).toEqual(["repo", "repo.lanes"]);
    const refused = await home.lane(["workspace", "add", "ext::sh -c id"]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("not an address to clone") });
  }, 120_000);

  it("adopts a worktree that is there, and keeps it when the lane goes", async () => {
    const theirs = join(home.dir, "theirs");
    await git(repo, "worktree", "add", "-q", "-b", "theirs", theirs);
    await writeFile(join(theirs, "hello.txt"), "edited\n");
    const added = await home.lane(["add", "mine", "--branch", "theirs", "-w", "repo"]);
    expect(added.stderr).toContain("was there already: removing the lane keeps it");
    expect(await sh("mine", "cat hello.txt; git commit -qam edited")).toBe("edited");
    const again = await home.lane(["add", "other", "--branch", "theirs", "-w", "repo"]);
    expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining('branch "theirs" is that of lane mine') });
    const main = await home.lane(["add", "other", "--branch", "main", "-w", "repo"]);
    expect(main).toMatchObject({ code: 5, stderr: expect.stringContaining("main work tree") });
    await writeFile(join(theirs, "hello.txt"), "edited again\n");
    expect(await home.json<ApiRemovedLane>(["rm", "mine", "--yes"])).toMatchObject({ worktreeKept: true, lost: [] });
    expect(await git(theirs, "status", "--porcelain")).toBe(" M hello.txt");
    expect(await git(theirs, "log", "-1", "--format=%s")).toBe("edited");
  });

  it("removes no lane with work only in it: stash, branch, or not known while stopped", async () => {
    await home.json(["add", "full", "-w", "repo"]);
    await sh("full", "echo 'x.log' > .gitignore; git add .; git commit -qm ignore; echo i > x.log");
    await sh("full", "git checkout -qb side; git commit -q --allow-empty -m side; git checkout -q full");
    await sh("full", "echo s > hello.txt; git stash -q");
    const refused = await home.lane(["rm", "full", "--yes"]);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain('would lose 1 stash entry; 1 branch only in the lane ("side")');
    const planned = (await home.lane(["rm", "full", "--dry-run"])).stdout;
    expect(planned).toContain("! needs --force: would lose 1 stash entry");
    expect(planned).toContain("1 ignored path");
    await sh("full", "git stash drop -q; git branch -D side -q");
    await home.json(["stop", "full"]);
    expect((await home.lane(["rm", "full", "--dry-run"])).stdout).not.toContain("would lose");
    await home.kill9();
    await home.up();
    const unknown = await home.lane(["rm", "full", "--yes"]);
    expect(unknown).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("cannot be asked for while it does not run"),
    });
    const unmerged = await home.lane(["rm", "full", "--yes", "--force", "--delete-branch"]);
    expect(unmerged).toMatchObject({ code: 5, stderr: expect.stringContaining("not merged into main") });
    const forced = await home.lane(["rm", "full", "--yes", "--force"]);
    expect(forced.stdout).toContain(
      "lane full is removed, branch full is kept; 1 ignored path went with it\nlost: what its git dir",
    );
  });

  it("shows how lanes stand and what they take, and prunes those whose work is merged", async () => {
    for (const name of ["done", "fresh", "dirty"]) await home.json(["add", name, "-w", "repo"]);
    for (const name of ["done", "dirty"])
      await sh(name, `echo ${name} > ${name}.txt; git add .; git commit -qm ${name}`);
    await sh("dirty", "echo more > more.txt");
    const shown = (await home.lane(["ls"])).stdout;
    expect(shown).toMatch(/^done .* \+1$/m);
    expect(shown).toMatch(/^dirty .* \+1 1 dirty$/m);
    await git(repo, "merge", "-q", "done");
    await git(repo, "merge", "-q", "--squash", "dirty");
    await git(repo, "commit", "-qm", "squashed");
    const found = await home.json<ApiPrunableLane[]>(["prune", "--dry-run"]);
    expect(found.map(({ name, merged, blocked }) => [name, merged, blocked])).toEqual([
      ["done", "ancestor", null],
      ["dirty", "content", expect.stringContaining("1 untracked path (more.txt)")],
    ]);
    const disk = await home.json<ApiLaneDisk[]>(["ls", "--disk"]);
    expect(disk).toHaveLength(3);
    for (const one of disk) {
      expect(one).toMatchObject({ partial: false });
      expect(Math.min(one.worktreeBytes ?? 0, one.volumeBytes ?? 0)).toBeGreaterThan(1000);
      expect(one.containerBytes).not.toBeNull();
    }
    expect(await home.lane(["prune", "--yes", "--delete-branch"])).toMatchObject({ code: 0 });
    expect((await names()).sort()).toEqual(["dirty", "fresh"]);
    expect(await git(repo, "branch", "--list", "done")).toBe("");
    for (const name of ["dirty", "fresh"]) await home.json(["rm", name, "--yes", "--force"]);
  });

  it("takes an ephemeral lane away after its job, and keeps it after a failure or with work in it", async () => {
    const add = (name: string) => home.json<ApiLane>(["add", name, "-w", "repo", "--ephemeral"]);
    const [good, bad, left] = [await add("good"), await add("bad"), await add("left")];
    expect(good.settings).toMatchObject({ ephemeral: true, base: "main" });
    await home.lane(["run", "bad", "--", "false"]);
    await sh("left", "echo x > left.txt");
    await sh("good", "echo x > good.txt; git add .; git commit -qm good");
    await home.kill9();
    await home.up();
    const isGone = async () => !(await names()).includes("good");
    await eventually(isGone, { what: "the end of the ephemeral lane", withinMs: 45_000 });
    expect(existsSync(good.worktree)).toBe(false);
    expect(await git(repo, "log", "-1", "--format=%s", "good")).toBe("good");
    const told = async () => {
      const kept = await events("lane.ephemeral_kept");
      return kept.length >= 2 ? kept : null;
    };
    const kept = await eventually(told, { what: "the reasons of those that stay", withinMs: 30_000 });
    expect(kept.find(({ lane }) => lane === bad.id)?.data.why).toMatch(/its job .* is failed/);
    expect(kept.find(({ lane }) => lane === left.id)?.data.why).toContain("1 untracked path (left.txt)");
    expect((await events("lane.ephemeral_removed")).map(({ lane }) => lane)).toEqual([good.id]);
  });
});
