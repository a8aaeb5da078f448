import { createHash } from "node:crypto";
import { chmodSync, rmSync, symlinkSync, truncateSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { diffLane } from "./lane-diff.ts";
import { parsePointer, renderPointer } from "./lfs-pointer.ts";
import { worktreeLosses } from "./remove-worktree.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";
import { makeTestLane, type TestLane } from "./testing-lane.ts";
import { worktreeStatus } from "./worktree-status.ts";

let t: TestRepo;
let lane: TestLane;
const NAMES = ["big.bin", "deep/ü :(top)*.bin"];
const contentOf = (name: string) => `content of ${name} `.repeat(100);
const pointerOf = (text: string) =>
  renderPointer({ oid: createHash("sha256").update(text).digest("hex"), size: Buffer.byteLength(text) });
/** As `git lfs pull` in the lane does. */
const pull = () => {
  for (const name of NAMES) {
    t.write(join(lane.worktree, name), contentOf(name));
    // Git looks into what was written in this very second again, at each look.
    utimesSync(join(lane.worktree, name), 1_700_000_000, 1_700_000_000);
  }
};

beforeEach(async () => {
  t = makeTestRepo();
  t.write(join(t.path, ".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n");
  for (const name of NAMES) t.write(join(t.path, name), pointerOf(contentOf(name)));
  t.raw(t.path, "add", ".");
  t.raw(t.path, "commit", "--quiet", "-m", "pointers");
  lane = await makeTestLane(t);
});
afterEach(() => t.dispose());

const changed = async () => (await worktreeStatus(t.git, { repo: t, path: lane.worktree, base: null })).changed;
const diff = async (patch: "none" | "text" = "text") => {
  const head = Promise.resolve(t.raw(t.path, "rev-parse", "lane1"));
  const scratch = join(t.root, "scratch");
  return diffLane(t.git, { gitDir: t.gitDir, worktree: lane.worktree, base: "main", head, scratch, patch });
};

it("takes content that is what the pointers name for unchanged, also in plain git without git-lfs", async () => {
  pull();
  expect(t.raw(lane.worktree, "status", "--porcelain")).not.toBe("");
  expect((await diff()).files).toEqual([]);
  expect(await changed()).toEqual([]);
  expect(await worktreeLosses(t.git, { repo: t, path: lane.worktree })).toBeNull();
  expect(t.raw(lane.worktree, "status", "--porcelain")).toBe("");
});

it("sees every other change: of a byte, of the size, of the mode, a link, and what a person has staged", async () => {
  pull();
  const [name = ""] = NAMES;
  const file = join(lane.worktree, name);
  t.write(file, contentOf(name).replace("o", "0"));
  expect(await changed()).toEqual([name]);
  // Seen once more after it was right for a moment.
  pull();
  expect(await changed()).toEqual([]);
  t.write(file, contentOf(name).replace("o", "0"));
  expect(await changed()).toEqual([name]);
  truncateSync(file, 3);
  expect(await changed()).toEqual([name]);
  pull();
  chmodSync(file, 0o755);
  expect(await changed()).toEqual([name]);
  rmSync(file);
  symlinkSync("/etc/hostname", file);
  expect(await changed()).toEqual([name]);
  rmSync(file);
  t.write(file, "staged");
  t.raw(lane.worktree, "add", name);
  pull();
  expect(await changed()).toEqual([name]);
});

it("compares pointers: of a changed file, and of a new one that is larger than what is compared", async () => {
  pull();
  t.write(join(lane.worktree, "big.bin"), "other content");
  t.write(join(lane.worktree, "new.bin"), "n".repeat(6 * 1024 * 1024));
  const { files, patch } = await diff();
  expect(files.map(({ path, additions }) => [path, additions])).toEqual([
    ["big.bin", 2],
    ["new.bin", 3],
  ]);
  const { oid, size } = parsePointer(pointerOf("other content")) ?? {};
  expect(patch).toContain(`+oid sha256:${oid}\n+size ${size}\n`);
  expect(patch).toContain(`+size ${6 * 1024 * 1024}\n`);
  expect(patch).not.toContain("nnn");
});

it("knows a pointer when it sees one", () => {
  const oid = "a".repeat(64);
  expect(parsePointer(renderPointer({ oid, size: 7 }))).toEqual({ oid, size: 7 });
  for (const text of ["", renderPointer({ oid: oid.toUpperCase(), size: 7 }), `${renderPointer({ oid, size: 7 })}x\n`])
    expect(parsePointer(text)).toBeNull();
});
