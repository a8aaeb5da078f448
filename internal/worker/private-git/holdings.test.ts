import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LOOK_SCRIPT } from "./git-scripts.ts";
import { parseHoldings } from "./holdings.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lane-look-"));
  git("init", "--quiet", "-b", "main");
  git("commit", "--quiet", "--allow-empty", "-m", "first");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const env = { PATH: process.env.PATH, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };
const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], {
    cwd: root,
    env,
    encoding: "utf8",
  }).trim();
const look = () => parseHoldings(execFileSync("sh", ["-c", LOOK_SCRIPT, "sh", root, "201"], { env, encoding: "utf8" }));

describe("a look at a git dir", () => {
  it("finds branches, stashes and a detached commit", () => {
    const tip = git("rev-parse", "HEAD");
    const rest = { more: false, submodules: [] };
    expect(look()).toEqual({ branches: [{ name: "main", tip }], detached: null, stashes: 0, ...rest });
    git("branch", "a/b");
    for (const text of ["1", "2"]) {
      writeFileSync(join(root, "f"), text);
      git("add", ".");
      git("stash", "--quiet");
    }
    git("checkout", "--quiet", "--detach");
    git("commit", "--quiet", "--allow-empty", "-m", "loose");
    const branches = [
      { name: "a/b", tip },
      { name: "main", tip },
    ];
    expect(look()).toEqual({ branches, detached: git("rev-parse", "HEAD"), stashes: 2, ...rest });
  });

  it("looks into submodules: commits that no remote has, changes, and git dirs of those that are gone", () => {
    const sub = join(root, "a sub ü");
    const inSub = (...args: string[]) => git("-C", sub, ...args);
    git("clone", "--quiet", "--bare", root, join(root, "remote"));
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", join(root, "remote"), "a sub ü");
    git("commit", "--quiet", "-m", "sub");
    const path = "a sub ü";
    expect(look()?.submodules).toEqual([{ path, commits: 0, others: 0 }]);
    inSub("commit", "--quiet", "--allow-empty", "-m", "mine");
    writeFileSync(join(sub, "new"), "");
    expect(look()?.submodules).toEqual([{ path, commits: 1, others: 1 }]);
    git("submodule", "--quiet", "deinit", "--force", "--all");
    expect(look()?.submodules).toEqual([{ path, commits: 1, others: 0 }]);
    // Its git cannot look: then nobody has looked into it.
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--force");
    writeFileSync(join(sub, ".git"), "gitdir: nowhere\n");
    expect(look()?.submodules?.filter(({ others }) => others > 0)).toEqual([]);
  });

  it("believes nothing that does not fit, and cuts what is too much", () => {
    const oid = "a".repeat(40);
    expect(parseHoldings("")).toBeNull();
    expect(parseHoldings(`branch ${oid} x`)).toBeNull();
    expect(parseHoldings("stashes -1")).toBeNull();
    expect(parseHoldings(`branch ../../etc/passwd x\nbranch ${oid}\ndetached no\nstashes 1`)).toEqual({
      branches: [],
      more: false,
      detached: null,
      stashes: 1,
      submodules: [],
    });
    const odd = ["submodule 1 x a", "submodule 1 2 ", `submodule 1 2 ${"x".repeat(1025)}`, "submodule 1 2 a b"];
    expect(parseHoldings(`${odd.join("\n")}\nstashes 0`)?.submodules).toEqual([{ path: "a b", commits: 1, others: 2 }]);
    const many = Array.from({ length: 300 }, (_, i) => `branch ${oid} b${i}\n`).join("");
    const cut = parseHoldings(`${many}stashes 0`);
    expect([cut?.branches.length, cut?.more]).toEqual([200, true]);
    expect(parseHoldings(`branch ${oid} ${"x".repeat(5000)}\nstashes 0`)?.branches[0]?.name).toHaveLength(1024);
  });
});
