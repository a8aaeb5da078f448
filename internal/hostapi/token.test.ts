import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadOrCreateToken } from "./token.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lk-tok-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe("loadOrCreateToken", () => {
  it("makes one token, whoever comes first, and keeps it", async () => {
    const path = join(dir, "token");
    const made = await Promise.all(Array.from({ length: 10 }, () => loadOrCreateToken(path)));
    expect(new Set(made).size).toBe(1);
    expect(made[0]).toMatch(/^[0-9a-f]{64}$/);
    expect((await readFile(path, "utf8")).trim()).toBe(made[0]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual(["token"]);
    expect(await loadOrCreateToken(path)).toBe(made[0]);
  });

  it("refuses one that others may read, a link, a folder, and rubbish", async () => {
    const path = join(dir, "token");
    await loadOrCreateToken(path);
    await chmod(path, 0o640);
    await expect(loadOrCreateToken(path)).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringContaining("(mode 640)"),
    });
    await symlink(path, join(dir, "link"));
    await expect(loadOrCreateToken(join(dir, "link"))).rejects.toThrow(/is a link/);
    await expect(loadOrCreateToken(dir)).rejects.toThrow(/is not a file/);
    for (const text of ["", "short", "x y".repeat(20)]) {
      await writeFile(join(dir, "bad"), text, { mode: 0o600 });
      await expect(loadOrCreateToken(join(dir, "bad"))).rejects.toThrow(/does not hold a token/);
    }
  });
});
