import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { markOfRef, readFileAt } from "./read-file-at.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";

const FILE = ".own.yaml";

describe("a file of a commit", () => {
  let repo: TestRepo;
  beforeAll(() => {
    repo = makeTestRepo();
  });
  afterAll(() => repo.dispose());

  const read = (ref: string) => readFileAt(repo.git, { gitDir: repo.gitDir, ref, file: FILE, maxBytes: 1000 });
  const commit = (message: string) => {
    repo.raw(repo.path, "add", "-A");
    repo.raw(repo.path, "commit", "--quiet", "-m", message);
    return repo.raw(repo.path, "rev-parse", "HEAD");
  };
  /** On a branch of its own, back on main after it. */
  const onBranch = (name: string, fill: () => void) => {
    repo.raw(repo.path, "checkout", "--quiet", "-b", name, "main");
    fill();
    commit(name);
    repo.raw(repo.path, "checkout", "--quiet", "main");
  };

  it("is read from the commit, never from the work tree", async () => {
    expect((await read("HEAD")).text).toBeNull();
    repo.write(join(repo.path, FILE), "one: 1\n");
    expect((await read("HEAD")).text).toBeNull();
    const first = commit("with a file");
    repo.write(join(repo.path, FILE), "two: 2\n");
    expect(await read("main")).toEqual({ commit: first, text: "one: 1" });
    repo.raw(repo.path, "checkout", "--quiet", "--", FILE);
    expect((await read("main~1")).text).toBeNull();
  });

  it("is refused when it is no plain, short file", async () => {
    onBranch("link", () => {
      repo.raw(repo.path, "rm", "--quiet", FILE);
      symlinkSync("/etc/passwd", join(repo.path, FILE));
    });
    onBranch("folder", () => {
      repo.raw(repo.path, "rm", "--quiet", FILE);
      repo.write(join(repo.path, FILE, "x"), "x");
    });
    onBranch("long", () => repo.write(join(repo.path, FILE), "x".repeat(1001)));
    for (const ref of ["link", "folder"]) await expect(read(ref)).rejects.toThrow(/is no plain file/);
    await expect(read("long")).rejects.toThrow(/is 1001 bytes long/);
    expect((await read("main")).text).toBe("one: 1");
  });

  it.each(["nothing", "--all", "-h", "main:a.txt", "main^{tree}", "", "a b", "@{-9}"])(
    "names no commit: %j",
    async (ref) => {
      await expect(read(ref)).rejects.toMatchObject({ code: "config.invalid" });
    },
  );

  it("has a mark that moves with whatever names the commit, and stays otherwise", async () => {
    const marks = async () => [await markOfRef(repo.gitDir, "main"), await markOfRef(repo.gitDir, "HEAD")];
    let before = await marks();
    const moves = async (what: string, act: () => void) => {
      act();
      const after = await marks();
      expect([what, after[0] === before[0], after[1] === before[1]]).toEqual([what, false, false]);
      before = after;
    };
    expect(await marks()).toEqual(before);
    await moves("commit", () => {
      repo.write(join(repo.path, "a.txt"), "more");
      commit("more");
    });
    await moves("pack", () => void repo.raw(repo.path, "pack-refs", "--all"));
    await moves("reset", () => void repo.raw(repo.path, "reset", "--quiet", "--hard", "HEAD~1"));
    repo.write(join(repo.path, "untracked"), "x");
    expect(await marks()).toEqual(before);
    const head = await markOfRef(repo.gitDir, "HEAD");
    repo.raw(repo.path, "checkout", "--quiet", "long");
    expect(await markOfRef(repo.gitDir, "HEAD")).not.toBe(head);
    repo.raw(repo.path, "checkout", "--quiet", "main");
    expect(await markOfRef(repo.gitDir, "../../../etc/passwd")).toContain("none none none none none");
  });
});
