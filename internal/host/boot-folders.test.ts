import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TEST_LANE, testSpec } from "../reconcile/testing.ts";
import { createBootFolders, type GitSeedFile } from "./boot-folders.ts";

let root: string;
const umask = process.umask();
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "boot-folders-"));
  process.umask(0o077);
});
afterEach(() => {
  process.umask(umask);
  rmSync(root, { recursive: true, force: true });
});

const dirs = () => ({ bootDir: join(root, "boot"), secretDir: join(root, "secrets"), workerBuild: "a".repeat(64) });
const stage = (gitSeed: () => Promise<readonly GitSeedFile[]>) => {
  const boot = createBootFolders({ ...dirs(), canChown: false, gitSeed });
  return { boot, staged: boot.stage({ lane: TEST_LANE, generation: 1, spec: testSpec() }) };
};
const at = (...path: string[]) => join(root, "boot", TEST_LANE.id, ...path);

describe("a lane's git in its bootstrap folder", () => {
  it("is there at once but for the seed, which the secret waits for; the agent can read all of it", async () => {
    let seeded = (_: readonly GitSeedFile[]) => {};
    const { boot, staged } = stage(() => new Promise((resolve) => (seeded = resolve)));
    await staged;
    expect(readFileSync(at("git-pointer"), "utf8")).toBe("gitdir: /lane/state/git\n");
    expect(existsSync(at("git"))).toBe(false);
    const secret = boot.secretOf(TEST_LANE.id, 1);
    seeded([
      { path: "HEAD.seed", content: "ref: x\n" },
      { path: "objects/info/alternates", content: "/o\n" },
      { path: "index", content: Buffer.from("DIRC"), mtimeMs: 1_600_000_000_000 },
    ]);
    expect(await secret).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(at("git", "index")).mtimeMs).toBe(1_600_000_000_000);
    for (const path of ["git", "git/objects", "git/objects/info", "git/objects/info/alternates", "git/HEAD.seed"])
      expect(statSync(at(path)).mode & 0o044, path).toBe(0o044);
  });

  it("fails the start when the seed cannot be made, and is made anew by the next one", async () => {
    const answers = [() => Promise.reject(new Error("branch gone")), async () => []];
    const { boot, staged } = stage(() => (answers.shift() ?? (async () => []))());
    await staged;
    await expect(boot.secretOf(TEST_LANE.id, 1)).rejects.toThrow("branch gone");
    await boot.stage({ lane: TEST_LANE, generation: 2, spec: testSpec() });
    expect(await boot.secretOf(TEST_LANE.id, 2)).toMatch(/^[0-9a-f]{64}$/);
    await boot.remove(TEST_LANE.id);
    expect(existsSync(at())).toBe(false);
  });
});
