import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseBundleHeader } from "./bundle-header.ts";
import { checkWhole, importBundle } from "./import-bundle.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { makeTestLane, type TestLane } from "./testing-lane.ts";

let t: TestRepo;
let lane: TestLane;
let bundle: string;
beforeEach(async () => {
  t = makeTestRepo();
  lane = await makeTestLane(t);
  bundle = join(t.root, "b");
});
afterEach(() => t.dispose());

const ref = "refs/heads/lane1";
const tip = () => lane.inside("rev-parse", ref);
const take = (change: { readonly tip?: string; readonly maxBytes?: number } = {}) =>
  importBundle(t.git, {
    gitDir: t.gitDir,
    lane: "lane1",
    bundle,
    ref,
    tip: tip(),
    have: [t.raw(t.path, "rev-parse", "main")],
    maxBytes: 1e6,
    ...change,
  });
const commit = (...more: string[]) => lane.inside("commit", "--quiet", "--allow-empty", "-m", "x", ...more);
const pack = (...args: string[]) => lane.inside("bundle", "create", "--quiet", bundle, ...args);
const objects = () => t.raw(t.path, "count-objects", "-v");
/** Writes an object as it is, whatever git thinks of it. */
const plain = (type: string, content: string | Buffer) =>
  execFileSync("git", [`--git-dir=${lane.private}`, "hash-object", "-t", type, "-w", "--literally", "--stdin"], {
    input: content,
    encoding: "utf8",
  }).trim();
/** A commit of this tree, on the lane's branch. */
const commitTree = (tree: string, parent = "main") => {
  const made = lane.inside("commit-tree", tree, "-p", parent, "-m", "evil");
  lane.inside("update-ref", ref, made);
};

describe("importBundle", () => {
  it("takes the commits of the lane's branch and moves no ref", async () => {
    commit();
    pack(ref, "^main");
    const refs = t.raw(t.path, "for-each-ref");
    await take();
    expect(t.raw(t.path, "cat-file", "-t", tip())).toBe("commit");
    expect(t.raw(t.path, "for-each-ref")).toBe(refs);
    await take();
  });

  const blob = () => plain("blob", "x");
  const entry = (mode: string, name: string, oid: string) =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")]);
  it.each<readonly [string, () => void, RegExp]>([
    ["text", () => writeFileSync(bundle, "hello\n\nthere"), /it is no bundle/],
    ["an endless header", () => writeFileSync(bundle, `# v2 git bundle\n${"x".repeat(100_000)}`), /no end/],
    [
      "another lane's branch",
      () => [lane.inside("branch", "other"), pack("refs/heads/other", "^main~0", "main")],
      /brings/,
    ],
    ["two refs", () => [lane.inside("branch", "other"), pack(ref, "refs/heads/other")], /brings/],
    ["a cut pack", () => [pack(ref), writeFileSync(bundle, readFileSync(bundle).subarray(0, -30))], /were not taken/],
    [
      "a tree with a .git in it",
      () => [commitTree(plain("tree", entry("40000", ".git", plain("tree", "")))), pack(ref, "^main")],
      /\.git|fsck|not taken/i,
    ],
    [
      "a name with a slash",
      () => [commitTree(plain("tree", entry("100644", "a/b", blob()))), pack(ref, "^main")],
      /not taken/,
    ],
    [
      "a .gitmodules that is an option",
      () => {
        const modules = plain("blob", '[submodule "x"]\n\tpath = x\n\turl = -u./evil\n');
        commitTree(plain("tree", entry("100644", ".gitmodules", modules)));
        pack(ref, "^main");
      },
      /not taken/,
    ],
    [
      "a commit without a committer",
      () => [
        lane.inside("update-ref", ref, plain("commit", `tree ${lane.inside("rev-parse", "main^{tree}")}\n\nx\n`)),
        pack(ref),
      ],
      /not taken/,
    ],
  ])("refuses %s, and the repository stays as it is", async (_, make, message) => {
    commit();
    const before = objects();
    make();
    await expect(take()).rejects.toMatchObject({ code: "git.refused", message: expect.stringMatching(message) });
    expect(objects()).toBe(before);
    expect(t.raw(t.path, "fsck", "--strict", "--no-dangling")).toBe("");
  });

  it("refuses a bundle without what its commits stand on", async () => {
    commit();
    const middle = tip();
    commit();
    pack(ref, `^${middle}`);
    const before = objects();
    await expect(take()).rejects.toMatchObject({ code: "git.refused" });
    expect(objects()).toBe(before);
  });

  it("refuses what unpacks to more than the limit, and another tip than was said", async () => {
    t.write(join(lane.worktree, "big"), "0123456789abcdef".repeat(20_000));
    lane.inside("add", "big");
    commit();
    pack(ref, "^main");
    await expect(take({ maxBytes: 100 })).rejects.toMatchObject({ code: "git.refused" });
    await expect(take({ tip: t.raw(t.path, "rev-parse", "main") })).rejects.toMatchObject({ code: "git.refused" });
  });
});

describe("checkWhole", () => {
  const absent = "1".repeat(40);
  const raw = (type: string, content: string) =>
    execFileSync("git", ["-C", t.path, "hash-object", "-t", type, "-w", "--literally", "--stdin"], {
      input: content,
      encoding: "utf8",
    }).trim();
  const tree = (entry: string) =>
    execFileSync("git", ["-C", t.path, "mktree", "--missing"], { input: entry, encoding: "utf8" }).trim();
  const made = (of: string, parent: string) =>
    raw("commit", `tree ${of}\nparent ${parent}\nauthor T <t@t> 1 +0000\ncommitter T <t@t> 1 +0000\n\nx\n`);
  const main = () => t.raw(t.path, "rev-parse", "main");
  const own = () => t.raw(t.path, "rev-parse", "main^{tree}");
  const NOT_WHOLE: Readonly<Record<string, () => string>> = {
    "a file is missing": () => made(tree(`100644 blob ${absent}\ta.txt\n`), main()),
    "a file of a folder that was there is missing": () =>
      made(tree(`040000 tree ${tree(`100644 blob ${absent}\tb.txt\n`)}\tsub\n`), main()),
    "a folder is missing": () => made(tree(`040000 tree ${absent}\tsub\n`), main()),
    "the tree is missing": () => made(absent, main()),
    "a parent is missing": () => made(own(), absent),
    "the parent's tree is missing": () => made(own(), made(absent, main())),
  };

  describe.each(["from what is there", "from all refs"])("%s", (way) => {
    const check = (tip: string) =>
      checkWhole(t.git, { gitDir: t.gitDir, tip, have: [main()], isSmall: way !== "from all refs" });

    it.each(Object.keys(NOT_WHOLE))("says so when %s", async (name) => {
      await expect(check(NOT_WHOLE[name]?.() ?? "")).rejects.toMatchObject({ code: "git.failed" });
    });

    it("takes what is whole, also with a submodule", async () => {
      const tip = made(tree(`160000 commit ${absent}\tsub\n`), main());
      expect(await check(tip)).toEqual([tip]);
      expect(await check(main())).toEqual([]);
    });

    it.each(["a tag of a new commit", "a tag of what is there", "a file"])("refuses %s for a commit", async (what) => {
      const tag = (of: string) => raw("tag", `object ${of}\ntype commit\ntag x\ntagger T <t@t> 1 +0000\n\nx\n`);
      const tip =
        what === "a file" ? raw("blob", "x") : tag(what === "a tag of a new commit" ? made(own(), main()) : main());
      await expect(check(tip)).rejects.toMatchObject({
        code: "git.failed",
        message: expect.stringContaining("not a commit"),
      });
    });
  });
});

describe("parseBundleHeader", () => {
  it.each([
    ["# v2 git bundle\n@filter=blob:none\n\nPACK00000000", "does not fit"],
    ["# v9 git bundle\n\nPACK00000000", "no bundle"],
    ["# v2 git bundle\n\nJUNK00000000", "no pack"],
    ["", "no end"],
  ])("%j: %s", (text, why) => {
    expect(parseBundleHeader(Buffer.from(text))).toContain(why);
  });
});
