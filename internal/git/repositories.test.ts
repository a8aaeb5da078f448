import { execFileSync } from "node:child_process";
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addWorktree } from "./add-worktree.ts";
import { describeRepository } from "./describe-repository.ts";
import { laneConfig } from "./lane-seed.ts";
import { locateGitDir } from "./locate-repository.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { type LaneRepo, makeTestLane } from "./testing-lane.ts";
import { worktreeStatus } from "./worktree-status.ts";

let t: TestRepo;
beforeEach(() => {
  t = makeTestRepo();
});
afterEach(() => t.dispose());

/** The repository at `path` in place of the usual one. */
const at = async (path: string): Promise<LaneRepo> => {
  const { path: found, gitDir } = await describeRepository(t.git, path, {});
  expect(await locateGitDir(found)).toBe(gitDir);
  return { ...t, path: found, gitDir };
};

/** A commit of the lane arrives on the host, one of the host in the lane, and both see a clean work tree throughout. */
async function expectFullDay(repo: LaneRepo): Promise<void> {
  const lane = await makeTestLane(repo);
  expect(lane.inside("status", "--porcelain")).toBe("");
  t.write(join(lane.worktree, "in-lane.txt"), "1\n");
  lane.inside("add", "--sparse", "in-lane.txt");
  lane.inside("commit", "--quiet", "-m", "in lane");
  const tip = lane.inside("rev-parse", "HEAD");
  expect(await lane.sync()).toMatchObject({ lane: tip, host: tip, commits: [tip], held: null });
  const onHost = (...args: string[]) => t.raw(lane.worktree, ...args);
  expect(onHost("status", "--porcelain")).toBe("");
  expect(await worktreeStatus(t.git, { repo, path: lane.worktree, base: null })).toMatchObject({ dirty: 0 });
  t.write(join(lane.worktree, "on-host.txt"), "2\n");
  onHost("add", "--sparse", "on-host.txt");
  onHost("commit", "--quiet", "-m", "on host");
  const later = onHost("rev-parse", "HEAD");
  expect(await lane.sync()).toMatchObject({ lane: later, host: later, held: null });
  expect(lane.inside("status", "--porcelain")).toBe("");
  expect(lane.inside("log", "--format=%s", "-2")).toBe("on host\nin lane");
  expect(t.raw(repo.path, "fsck", "--strict", "--no-dangling")).toBe("");
}

describe("a lane of every kind of repository", () => {
  it("bare, named by itself, by a folder in it, by its work tree and by a .git file beside it", async () => {
    const bare = join(t.root, "bare.git");
    t.raw(t.root, "clone", "--quiet", "--bare", t.path, bare);
    t.raw(bare, "worktree", "add", "--quiet", join(t.root, "of-bare"), "-b", "x");
    mkdirSync(join(t.root, "project"));
    writeFileSync(join(t.root, "project", ".git"), `gitdir: ${bare}\n`);
    for (const path of [bare, join(bare, "objects"), join(t.root, "of-bare"), join(t.root, "project")]) {
      expect(await describeRepository(t.git, path, {})).toMatchObject({ path: bare, gitDir: bare, bare: true });
    }
    await expectFullDay(await at(bare));
  });

  it("shallow", async () => {
    t.raw(t.path, "commit", "--quiet", "--allow-empty", "-m", "second");
    const shallow = join(t.root, "shallow");
    t.raw(t.root, "clone", "--quiet", "--depth=1", `file://${t.path}`, shallow);
    expect(existsSync(join(shallow, ".git", "shallow"))).toBe(true);
    await expectFullDay(await at(shallow));
  });

  it.each(["--cone", "--no-cone"])("sparse, %s", async (mode) => {
    t.raw(t.path, "sparse-checkout", "set", mode, mode === "--cone" ? "other" : "/a.txt");
    await expectFullDay(await at(t.path));
    expect(readdirSync(join(t.root, "repo.lanes", "lane1"))).not.toContain("sub");
  });

  it("with settings per work tree", async () => {
    t.raw(t.path, "config", "extensions.worktreeConfig", "true");
    t.raw(t.path, "config", "--worktree", "core.abbrev", "10");
    await expectFullDay(await at(t.path));
  });

  it("with SHA-256", async () => {
    t.dispose();
    t = makeTestRepo({ objectFormat: "sha256" });
    await expectFullDay(await at(t.path));
  });

  it("in a folder with spaces, quotes, a colon and letters of the world", async () => {
    const odd = join(t.root, `a "b" c:d 'ä' 日本`);
    t.raw(t.root, "clone", "--quiet", t.path, odd);
    await expectFullDay(await at(odd));
  });

  it("with replace refs and grafts, which change nothing of what is imported", async () => {
    const first = t.raw(t.path, "rev-parse", "HEAD");
    t.raw(t.path, "commit", "--quiet", "--allow-empty", "-m", "second");
    t.raw(t.path, "replace", "HEAD", first);
    t.write(join(t.gitDir, "info", "grafts"), `${t.raw(t.path, "rev-parse", "HEAD")}\n`);
    const lane = await makeTestLane(await at(t.path));
    lane.inside("commit", "--quiet", "--allow-empty", "-m", "in lane");
    expect(lane.inside("log", "--format=%s")).toBe("in lane\nsecond\nfirst");
    expect(await lane.sync()).toMatchObject({ commits: [lane.inside("rev-parse", "HEAD")], held: null });
  });

  it("of another user, when we are root: all that is written is theirs", async (ctx) => {
    if (process.getuid?.() !== 0) return ctx.skip();
    execFileSync("chmod", ["755", t.root]);
    execFileSync("chown", ["-R", "1234:1234", t.path]);
    chownSync(t.root, 0, 0);
    const repo = await describeRepository(t.git, t.path, {});
    const env = { PATH: process.env.PATH, HOME: join(t.root, "home"), GIT_CONFIG_COUNT: "1" };
    const trust = { ...env, GIT_CONFIG_KEY_0: "safe.directory", GIT_CONFIG_VALUE_0: "*" };
    const raw: TestRepo["raw"] = (cwd, ...args) =>
      execFileSync("git", args, { cwd, encoding: "utf8", env: trust, stdio: ["ignore", "pipe", "pipe"] }).trim();
    const lane = await makeTestLane({ ...t, ...repo, raw });
    for (let i = 0; i < 3; i++) lane.inside("commit", "--quiet", "--allow-empty", "-m", `${i}`);
    expect(await lane.sync()).toMatchObject({ held: null, diverged: false });
    const foreign = (dir: string): string[] =>
      readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
        const path = join(dir, entry.name);
        const { uid } = lstatSync(path);
        return [...(uid === 1234 ? [] : [path]), ...(entry.isDirectory() ? foreign(path) : [])];
      });
    // The mark is written by us, in a folder of theirs.
    expect(
      [...foreign(t.path), ...foreign(lane.worktree)].filter((path) => !path.endsWith("lanekeeper-start")),
    ).toEqual([]);
    expect(lstatSync(lane.worktree).uid).toBe(1234);
    expect(raw(t.path, "log", "-1", "--format=%s", "lane1")).toBe("2");
  });
});

describe("what lanes cannot share is refused with the next step", () => {
  const configOf = async (path: string) => laneConfig(t.git, { repo: await describeRepository(t.git, path, {}) });

  it.each([
    ["a partial clone", ["--filter=blob:none"], /is a partial clone/, /without --filter/],
    ["borrowed objects", ["--shared"], /borrows objects/, /git repack -a -d/],
  ])("%s", async (_, options, message, hint) => {
    t.raw(t.path, "config", "uploadpack.allowFilter", "true");
    const clone = join(t.root, "clone");
    const url = options[0] === "--shared" ? t.path : `file://${t.path}`;
    t.raw(t.root, "clone", "--quiet", ...options, url, clone);
    const error = await configOf(clone).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "workspace.invalid", message: expect.stringMatching(message) });
    expect(error).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  it("refs in a format that this git does not know", async () => {
    t.raw(t.path, "config", "core.repositoryFormatVersion", "1");
    t.raw(t.path, "config", "extensions.refStorage", "reftable");
    await expect(configOf(t.path)).rejects.toMatchObject({
      code: "workspace.invalid",
      message: expect.stringMatching(/does not know: .*refstorage|keeps its refs in another way/),
    });
  });

  it("a path with a line break", async () => {
    const odd = join(t.root, "line\nbreak");
    t.raw(t.root, "clone", "--quiet", t.path, odd);
    await expect(configOf(odd)).rejects.toMatchObject({
      code: "workspace.invalid",
      hint: "use a path without line breaks",
    });
    const repo = { path: t.path, gitDir: t.gitDir };
    expect((await addWorktree(t.git, { repo, path: join(t.root, "ok"), branch: "ok", from: null })).branch).toBe("ok");
  });
});
