import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { diffLane, type LaneDiffQuery } from "./lane-diff.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { makeTestLane, type TestLane } from "./testing-lane.ts";

// Many processes each, on a machine that has others to run.
vi.setConfig({ testTimeout: 30_000 });

let t: TestRepo;
let lane: TestLane;
beforeEach(async () => {
  t = makeTestRepo();
  lane = await makeTestLane(t);
});
afterEach(() => t.dispose());

const put = (path: string, text: string) => t.write(join(lane.worktree, path), text);
const diff = async (more: Partial<LaneDiffQuery> = {}) => {
  const found = await diffLane(t.git, {
    gitDir: t.gitDir,
    worktree: lane.worktree,
    base: "main",
    head: more.head ?? Promise.resolve(t.raw(t.path, "rev-parse", "lane1")),
    scratch: join(t.root, "scratch"),
    patch: "text",
    ...more,
  });
  expect(existsSync(join(t.root, "scratch")) ? readdirSync(join(t.root, "scratch")) : []).toEqual([]);
  return found;
};
/** `+1 -0 added a.txt`, with `*` for what is in no commit. */
const listed = async (more: Partial<LaneDiffQuery> = {}) =>
  (await diff({ patch: "none", ...more })).files.map(
    ({ path, oldPath, status, additions, deletions, uncommitted }) =>
      `+${additions} -${deletions} ${status} ${oldPath === null ? "" : `${oldPath} -> `}${path}${uncommitted ? " *" : ""}`,
  );
/** All of the repository that a look must leave as it was. */
const world = () => execFileSync("sh", ["-c", `find "${t.gitDir}" -type f -exec sha256sum {} + | sort`]).toString();

describe("what a lane has changed", () => {
  it("is nothing at first", async () => {
    expect(await diff()).toMatchObject({ files: [], additions: 0, deletions: 0, patch: "", truncated: false });
  });

  it("is all of it: committed, staged, edited, untracked, moved, removed, made executable; what is ignored is not", async () => {
    put("long.txt", "1\n2\n3\n4\n5\n6\n7\n8\n");
    lane.inside("add", ".");
    lane.inside("commit", "--quiet", "-m", "long");
    await lane.sync();
    put("a.txt", "one\ntwo\n");
    put("new/deep.txt", "x\n");
    put("staged.txt", "x\n");
    lane.inside("add", "staged.txt");
    put(".gitignore", "*.log\n");
    put("noise.log", "x\n");
    rmSync(join(lane.worktree, "sub", "b.txt"));
    chmodSync(join(lane.worktree, "long.txt"), 0o755);
    const before = world();
    expect((await listed()).sort()).toEqual([
      "+0 -1 deleted sub/b.txt *",
      "+1 -0 added .gitignore *",
      "+1 -0 added new/deep.txt *",
      "+1 -0 added staged.txt *",
      "+1 -0 modified a.txt *",
      "+8 -0 added long.txt *",
    ]);
    expect(world()).toBe(before);
  });

  it("starts where the lane left its base, tells committed from uncommitted, and follows a move", async () => {
    put("b.txt", "1\n2\n3\n4\n5\n6\n");
    lane.inside("add", ".");
    lane.inside("commit", "--quiet", "-m", "b");
    await lane.sync();
    t.write(join(t.path, "main.txt"), "later\n");
    t.raw(t.path, "add", ".");
    t.raw(t.path, "commit", "--quiet", "-m", "later");
    expect(await listed()).toEqual(["+6 -0 added b.txt"]);
    expect(await listed({ base: "lane1" })).toEqual([]);
    renameSync(join(lane.worktree, "b.txt"), join(lane.worktree, "c.txt"));
    expect(await listed({ base: "lane1" })).toEqual(["+0 -0 renamed b.txt -> c.txt *"]);
  });

  it("is a patch that git apply takes, binary files and odd names too", async () => {
    put("a.txt", "uno\nno end");
    put('odd "name"\t1.txt', "x\n");
    put("ümlaut.txt", "ü\n");
    writeFileSync(join(lane.worktree, "raw.bin"), Buffer.from([0, 1, 2, 255, 0]));
    symlinkSync("a.txt", join(lane.worktree, "link"));
    const { patch } = await diff({ patch: "whole" });
    const apply = () => execFileSync("git", ["-C", t.path, "apply", "--index", "-"], { input: patch ?? "" });
    apply();
    expect(t.raw(t.path, "write-tree")).toBe(treeOf(lane.worktree));
    expect((await diff()).patch).toContain("Binary files /dev/null and b/raw.bin differ");
  });

  it("is of one file or folder where that is asked for", async () => {
    put("a.txt", "x\n");
    put("sub/b.txt", "y\n");
    put("sub/c.txt", "z\n");
    expect(await listed({ path: "sub" })).toEqual(["+1 -1 modified sub/b.txt *", "+1 -0 added sub/c.txt *"]);
    const { patch, files } = await diff({ path: "a.txt" });
    expect([files.length, patch?.match(/^diff --git/gm)?.length]).toEqual([1, 1]);
    expect(await listed({ path: "*" })).toEqual([]);
    expect(await listed({ path: "--output=x" })).toEqual([]);
  });

  it("has bounds, and says so", async () => {
    for (const name of ["1", "2", "3"]) put(`${name}.txt`, `${"x".repeat(99)}\n`.repeat(20));
    const cut = await diff({ limits: { patchChars: 3000 } });
    expect([cut.truncated, cut.files.length, cut.patch?.match(/^diff --git/gm)?.length]).toEqual([true, 3, 1]);
    expect(cut.patch?.endsWith("\n")).toBe(true);
    const large = await diff({ limits: { fileBytes: 1000 } });
    expect(large.files.map(({ path, additions, status }) => [path, additions, status])).toEqual(
      ["1.txt", "2.txt", "3.txt"].map((path) => [path, null, "added"]),
    );
    expect([large.truncated, large.patch]).toEqual([true, ""]);
    expect(await listed({ limits: { files: 1 } })).toHaveLength(3);
  });

  it("leaves an index that is a link to somebody's own place as it is", async () => {
    const index = join(t.gitDir, "worktrees", "lane1", "index");
    renameSync(index, join(t.gitDir, "kept-elsewhere"));
    symlinkSync(join(t.gitDir, "kept-elsewhere"), index);
    put("new.txt", "x\n");
    const before = world();
    expect(await listed()).toEqual(["+1 -0 added new.txt *"]);
    expect(world()).toBe(before);
  });

  it("refuses a base that is no commit", async () => {
    for (const base of ["nope", "--all", "main:a.txt", "-", "a\nb"]) {
      await expect(diff({ base })).rejects.toMatchObject({ code: "usage.invalid" });
    }
  });

  it.runIf(process.getuid?.() === 0)("works for root in a repository of somebody else, as whom git runs", async () => {
    put("a.txt", "x\n");
    put("new.txt", "x\n");
    const head = Promise.resolve(t.raw(t.path, "rev-parse", "lane1"));
    execFileSync("chown", ["-R", "1000:1000", t.root]);
    const before = world();
    expect(await listed({ head })).toEqual(["+1 -1 modified a.txt *", "+1 -0 added new.txt *"]);
    expect(world()).toBe(before);
  });

  it("works in a repository of SHA-256", async () => {
    t.dispose();
    t = makeTestRepo({ objectFormat: "sha256" });
    lane = await makeTestLane(t);
    put("a.txt", "x\n");
    expect(await listed()).toEqual(["+1 -1 modified a.txt *"]);
  });
});

describe("a hostile work tree", () => {
  it("shows no foreign byte: links are links, folders that are links are not entered", async () => {
    const secret = join(t.root, "secret");
    mkdirSync(secret);
    writeFileSync(join(secret, "b.txt"), "the secret\n");
    rmSync(join(lane.worktree, "sub"), { recursive: true });
    symlinkSync(secret, join(lane.worktree, "sub"));
    symlinkSync(join(secret, "b.txt"), join(lane.worktree, "direct"));
    rmSync(join(lane.worktree, "a.txt"));
    symlinkSync(join(secret, "b.txt"), join(lane.worktree, "a.txt"));
    symlinkSync(join(secret, "b.txt"), join(lane.worktree, ".gitignore"));
    symlinkSync(join(secret, "b.txt"), join(lane.worktree, ".gitmodules"));
    const { patch, files } = await diff();
    expect(patch).not.toContain("the secret");
    expect(
      files.filter(({ flags }) => flags.some(({ code }) => code === "link-outside")).map(({ path }) => path),
    ).toEqual([".gitignore", "a.txt", "direct", "sub"]);
    expect(files.map(({ path }) => path)).toContain(".gitmodules");
  });

  it("ends soon for pipes, devices and huge files, and names them", async () => {
    rmSync(join(lane.worktree, "a.txt"));
    execFileSync("mkfifo", [join(lane.worktree, "a.txt"), join(lane.worktree, "fresh")]);
    put("sparse.bin", "");
    truncateSync(join(lane.worktree, "sparse.bin"), 1024 ** 4);
    const started = performance.now();
    const { files, truncated } = await diff();
    expect(performance.now() - started).toBeLessThan(5000);
    expect(files.map(({ path, status, additions, flags }) => [path, status, additions, flags[0]?.code])).toEqual([
      ["a.txt", "type-changed", null, "special-file"],
      ["sparse.bin", "added", null, undefined],
    ]);
    expect(truncated).toBe(true);
  });

  it("hides nothing: names that are no UTF-8, options, git's own names, nested and bare repositories", async () => {
    const odd = Buffer.concat([Buffer.from(`${lane.worktree}/caf`), Buffer.from([0xe9])]);
    writeFileSync(odd, "x\n");
    for (const name of ["--help", "-rf", ":(glob)**", "line\nbreak", "git~1", ".GIT /x", ".gIT/hooks/pre-commit"])
      put(name, "x\n");
    t.raw(lane.worktree, "init", "--quiet", join(lane.worktree, "nested"));
    put("nested/file.txt", "x\n");
    t.raw(t.root, "init", "--quiet", "--bare", join(lane.worktree, "store"));
    const { files } = await diff();
    const found = new Map(files.map(({ path, flags }) => [path, flags.map(({ code }) => code)]));
    expect([...found.keys()]).toEqual(
      expect.arrayContaining(["caf\ufffd", "--help", "-rf", ":(glob)**", "line\nbreak", "git~1", "nested/"]),
    );
    expect(found.get("nested/")).toEqual(["nested-repository"]);
    expect(found.get(".gIT/hooks/pre-commit")).toEqual(["nested-repository"]);
    expect(found.get("store/HEAD")).toEqual(["nested-repository"]);
    expect(found.get("store/config")).toEqual(["nested-repository"]);
  });

  it("runs none of the programs that the repository's configuration names, whatever its attributes ask for", async () => {
    const canary = join(t.root, "canary");
    const trap = join(t.root, "trap");
    writeFileSync(trap, `#!/bin/sh\necho x >> ${canary}\ncat\n`);
    chmodSync(trap, 0o755);
    for (const [name, value] of [
      ["filter.evil.clean", trap],
      ["filter.evil.smudge", trap],
      ["filter.evil.process", trap],
      ["filter.evil.required", "true"],
      ["diff.evil.command", trap],
      ["diff.evil.textconv", trap],
      ["diff.external", trap],
      ["core.fsmonitor", trap],
      ["core.pager", trap],
      ["interactive.diffFilter", trap],
    ] as const) {
      t.raw(t.path, "config", name, value);
    }
    put(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    put("a.txt", "changed\n");
    put("new.txt", "x\n");
    const { files, patch } = await diff();
    expect(files.map(({ path }) => path)).toEqual([".gitattributes", "a.txt", "new.txt"]);
    expect(patch).toContain("+changed");
    expect(files[0]?.flags.map(({ code }) => code)).toEqual(["git-attributes"]);
    expect(existsSync(canary)).toBe(false);
  });

  it("shows what a lane did to a submodule without opening it", async () => {
    const module = join(lane.worktree, "module");
    t.raw(t.root, "init", "--quiet", module);
    t.raw(module, "commit", "--quiet", "--allow-empty", "-m", "m");
    lane.inside("add", "module");
    lane.inside("commit", "--quiet", "-m", "a module");
    await lane.sync();
    const { files, patch } = await diff();
    expect(files.map(({ path, flags }) => [path, flags.map(({ code }) => code)])).toEqual([["module", ["submodule"]]]);
    expect(patch).toContain("+Subproject commit");
  });

  it("neither reads nor writes through files and folders that are swapped for links while it looks", async () => {
    const foreign = join(t.root, "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "x.txt"), "the secret\n");
    for (let n = 0; n < 40; n++) put(`f${n}.txt`, "x\n");
    for (let n = 0; n < 40; n++) put(`d${n}/y.txt`, "y\n");
    const swap = `cd '${lane.worktree}'; while :; do for n in 1 9 17 25 33; do
      ln -sf '${foreign}/x.txt' f$n.txt; mv d$n e$n; ln -s '${foreign}' d$n
      rm -f f$n.txt; echo x > f$n.txt; rm -f d$n; mv e$n d$n; done; done`;
    const swapper = spawn("sh", ["-c", swap], { stdio: "ignore" });
    try {
      for (let n = 0; n < 12; n++) expect((await diff()).patch).not.toContain("the secret");
    } finally {
      swapper.kill("SIGKILL");
    }
    expect(readdirSync(foreign)).toEqual(["x.txt"]);
  });
});

/** The tree that plain git would make of the lane's files. */
function treeOf(worktree: string): string {
  const env = { PATH: process.env.PATH ?? "", GIT_INDEX_FILE: join(t.root, "other-index"), HOME: t.root };
  const run = (...args: string[]) =>
    execFileSync("git", [`--git-dir=${t.gitDir}`, `--work-tree=${worktree}`, ...args], {
      cwd: worktree,
      env,
    }).toString();
  run("read-tree", "main");
  run("add", "--all");
  return run("write-tree").trim();
}
