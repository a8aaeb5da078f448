import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { noticesOf } from "./notices.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";

let t: TestRepo;
beforeEach(() => {
  t = makeTestRepo();
});
afterEach(() => t.dispose());

it("tells of pointers of git-lfs and of empty submodules, wherever they are named, and of nothing else", async () => {
  const told = () => noticesOf(t.git, t.gitDir, {});
  t.write(join(t.path, ".gitattributes"), "*.txt text\n");
  t.raw(t.path, "add", ".");
  expect(await told()).toEqual([]);
  t.write(join(t.path, "deep", "er", ".gitattributes"), "*.bin filter=lfs diff=lfs\n");
  t.raw(t.path, "add", ".");
  expect(await told()).toEqual([expect.stringContaining("git lfs pull")]);
  t.write(join(t.path, ".gitmodules"), '[submodule "x"]\n\tpath = x\n\turl = ../x\n');
  t.raw(t.path, "add", ".");
  expect(await told()).toEqual([
    expect.stringContaining("git-lfs"),
    expect.stringMatching(/run `git remote add origin .* `git submodule update --init`/),
  ]);
  t.write(join(t.path, ".gitmodules"), '[submodule "x"]\n\tpath = x\n\turl = https://example.test/x\n');
  t.raw(t.path, "add", ".");
  expect((await told())[1]).toContain("run `git submodule update --init`");
});
