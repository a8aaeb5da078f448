import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import type { ApiLaneDisk, ApiPrunableLane, ApiRemovedLane } from "../../internal/protocol/api-upkeep.ts";
import type { ApiLane, ApiWorkspace } from "../../internal/protocol/index.ts";
import { gitSceneBefore } from "../support/git-scene.ts";
import { eventually } from "../support/installation.ts";
import { podman } from "../support/podman.ts";

describe("lanes come and go", () => {
  const scene = gitSceneBefore();
  const { git, sh, feed: events } = scene;
  const names = async () => (await scene.home.json<ApiLane[]>(["ls"])).map(({ name }) => name);

  it("clones a repository and brings commits of a bare, a shallow, a sparse and a SHA-256 one over", async () => {
    const at = (name: string) => join(scene.home.dir, name);
    await execa("git", ["clone", "-q", "--bare", scene.repo, at("bare.git")]);
    await git(scene.repo, "commit", "-q", "--allow-empty", "-m", "second");
    await execa("git", ["clone", "-q", "--depth=1", `file://${scene.repo}`, at("shallow")]);
    await execa("git", ["clone", "-q", scene.repo, at("sparse")]);
    await mkdir(at("sparse/out"));
    await writeFile(at("sparse/out/far.txt"), "far\n");
    await git(at("sparse"), "add", ".");
    await git(at("sparse"), "commit", "-qm", "far");
    await git(at("sparse"), "sparse-checkout", "set", "--cone", "in");
    await execa("git", ["init", "-q", "-b", "main", "--object-format=sha256", at("sha256")]);
    await git(at("sha256"), "commit", "-q", "--allow-empty", "-m", "first");
    const cloned = await scene.home.json<ApiWorkspace>([
      "workspace",
      "add",
      `file://${scene.repo}`,
      "--name",
      "cloned",
    ]);
    expect(cloned.path).toBe(join(scene.home.env.XDG_DATA_HOME as string, "lanekeeper", "repositories", "repo"));
    for (const name of ["bare.git", "shallow", "sparse", "sha256"])
      await scene.home.json(["workspace", "add", at(name)]);
    const workspaces = await scene.home.json<ApiWorkspace[]>(["workspace", "ls"]);
    const kinds = workspaces.filter(({ path }) => path !== scene.repo);
    expect(kinds.map(({ name }) => name)).toEqual(["cloned", "bare", "shallow", "sparse", "sha256"]);
    for (const { name, path } of kinds) {
      const lane = await scene.home.json<ApiLane>(["add", `of-${name}`, "-w", name]);
      const clean = await sh(
        lane.name,
        "git status --porcelain; ls; echo 1 > new.txt; git add --sparse .; git commit -qm mine",
      );
      expect(clean).not.toMatch(/^ ?[MD?]|far/m);
      expect(await git(path, "log", "-1", "--format=%s", lane.branch), name).toBe("mine");
      expect(await git(lane.worktree, "status", "--porcelain"), name).toBe("");
      await scene.home.json(["rm", lane.name, "--yes"]);
    }
    expect(await readdir(join(cloned.path, ".."))).toEqual(["repo", "repo.lanes"]);
    const refused = await scene.home.lane(["workspace", "add", "ext::sh -c id"]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("not an address to clone") });
  }, 120_000);

  it("adopts a worktree that is there, and keeps it when the lane goes", async () => {
    const theirs = join(scene.home.dir, "theirs");
    await git(scene.repo, "worktree", "add", "-q", "-b", "theirs", theirs);
    await writeFile(join(theirs, "hello.txt"), "edited\n");
    const added = await scene.home.lane(["add", "mine", "--branch", "theirs", "-w", "repo"]);
    expect(added.stderr).toContain("was there already: removing the lane keeps it");
    expect(await sh("mine", "cat hello.txt; git commit -qam edited")).toBe("edited");
    const again = await scene.home.lane(["add", "other", "--branch", "theirs", "-w", "repo"]);
    expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining('branch "theirs" is that of lane mine') });
    const main = await scene.home.lane(["add", "other", "--branch", "main", "-w", "repo"]);
    expect(main).toMatchObject({ code: 5, stderr: expect.stringContaining("main work tree") });
    await writeFile(join(theirs, "hello.txt"), "edited again\n");
    expect(await scene.home.json<ApiRemovedLane>(["rm", "mine", "--yes"])).toMatchObject({
      worktreeKept: true,
      lost: [],
    });
    expect(await git(theirs, "status", "--porcelain")).toBe(" M hello.txt");
    expect(await git(theirs, "log", "-1", "--format=%s")).toBe("edited");
  });

  it("removes no lane with work only in it: stash, branch, or not known while stopped", async () => {
    await scene.home.json(["add", "full", "-w", "repo"]);
    await sh("full", "echo 'x.log' > .gitignore; git add .; git commit -qm ignore; echo i > x.log");
    await sh("full", "git checkout -qb side; git commit -q --allow-empty -m side; git checkout -q full");
    await sh("full", "echo s > hello.txt; git stash -q");
    const refused = await scene.home.lane(["rm", "full", "--yes"]);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain('would lose 1 stash entry; 1 branch only in the lane ("side")');
    const planned = (await scene.home.lane(["rm", "full", "--dry-run"])).stdout;
    expect(planned).toContain("! needs --force: would lose 1 stash entry");
    expect(planned).toContain("1 ignored path");
    await scene.home.json(["add", "plain", "-w", "repo"]);
    await sh(
      "plain",
      "git commit -q --allow-empty -m plain; git branch old main; echo x > x; git stash -qu; git stash drop -q",
    );
    for (const name of ["full", "plain"]) await scene.home.json(["stop", name]);
    expect((await scene.home.lane(["rm", "plain", "--dry-run"])).stdout).not.toContain("would lose");
    await scene.home.kill9();
    await scene.home.up();
    // Both are stopped, and nobody can be asked: what they held is on record.
    const known = await scene.home.lane(["rm", "full", "--yes"]);
    expect(known).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("would lose 1 stash entry; 1 branch only"),
    });
    expect(await scene.home.lane(["rm", "plain", "--yes"])).toMatchObject({ code: 0 });
    expect(await git(scene.repo, "log", "-1", "--format=%s", "plain")).toBe("plain");
    const unmerged = await scene.home.lane(["rm", "full", "--yes", "--force", "--delete-branch"]);
    expect(unmerged).toMatchObject({ code: 5, stderr: expect.stringContaining("not merged into main") });
    // Started by hand, it may hold anything.
    const { containerName } = await scene.home.json<ApiLane>(["show", "full"]);
    await scene.home.lane(["down"]);
    await podman("start", containerName ?? "");
    await podman("kill", containerName ?? "");
    await scene.home.up();
    expect(await scene.home.lane(["rm", "full", "--yes"])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("cannot be asked for while it does not run"),
    });
    const forced = await scene.home.lane(["rm", "full", "--yes", "--force"]);
    expect(forced.stdout).toContain(
      "lane full is removed, branch full is kept; 1 ignored path went with it\nlost: what its git dir",
    );
  }, 120_000);

  it("shows how lanes stand and what they take, and prunes those whose work is merged", async () => {
    for (const name of ["done", "fresh", "dirty"]) await scene.home.json(["add", name, "-w", "repo"]);
    for (const name of ["done", "dirty"])
      await sh(name, `echo ${name} > ${name}.txt; git add .; git commit -qm ${name}`);
    await sh("dirty", "echo more > more.txt");
    const shown = (await scene.home.lane(["ls"])).stdout;
    expect(shown).toMatch(/^done .* \+1$/m);
    expect(shown).toMatch(/^dirty .* \+1 1 dirty$/m);
    await git(scene.repo, "merge", "-q", "done");
    await git(scene.repo, "merge", "-q", "--squash", "dirty");
    await git(scene.repo, "commit", "-qm", "squashed");
    const found = await scene.home.json<ApiPrunableLane[]>(["prune", "--dry-run"]);
    expect(found.map(({ name, merged, blocked }) => [name, merged, blocked])).toEqual([
      ["done", "ancestor", null],
      ["dirty", "content", expect.stringContaining("1 untracked path (more.txt)")],
    ]);
    const disk = await scene.home.json<ApiLaneDisk[]>(["ls", "--disk"]);
    expect(disk).toHaveLength(3);
    for (const one of disk) {
      expect(one).toMatchObject({ partial: false });
      expect(Math.min(one.worktreeBytes ?? 0, one.volumeBytes ?? 0)).toBeGreaterThan(1000);
      expect(one.containerBytes).not.toBeNull();
    }
    expect(await scene.home.lane(["prune", "--yes", "--delete-branch"])).toMatchObject({ code: 0 });
    expect((await names()).sort()).toEqual(["dirty", "fresh"]);
    expect(await git(scene.repo, "branch", "--list", "done")).toBe("");
    for (const name of ["dirty", "fresh"]) await scene.home.json(["rm", name, "--yes", "--force"]);
  });

  it("takes an ephemeral lane away after its job, and keeps it after a failure or with work in it", async () => {
    const add = (name: string) => scene.home.json<ApiLane>(["add", name, "-w", "repo", "--ephemeral"]);
    const [good, bad, left] = [await add("good"), await add("bad"), await add("left")];
    expect(good.settings).toMatchObject({ ephemeral: true, base: "main" });
    await scene.home.lane(["run", "bad", "--", "false"]);
    await sh("left", "echo x > left.txt");
    await sh("good", "echo x > good.txt; git add .; git commit -qm good");
    await scene.home.kill9();
    await scene.home.up();
    const isGone = async () => !(await names()).includes("good");
    await eventually(isGone, { what: "the end of the ephemeral lane", withinMs: 45_000 });
    expect(existsSync(good.worktree)).toBe(false);
    expect(await git(scene.repo, "log", "-1", "--format=%s", "good")).toBe("good");
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
