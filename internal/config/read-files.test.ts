import { chmod, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolvePaths } from "./paths.ts";
import { prepareFolders, readConfigFiles } from "./read-files.ts";

let dir = "";
const uid = process.getuid?.() ?? 0;
const paths = () =>
  resolvePaths({ XDG_STATE_HOME: join(dir, "s"), XDG_RUNTIME_DIR: join(dir, "r"), HOME: dir }, uid, {
    homedir: dir,
    tmpdir: dir,
    hasFolder: () => false,
  });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lk-cfg-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe("readConfigFiles", () => {
  it("reads what is there and skips what is not", async () => {
    await writeFile(join(dir, "a"), "image: x\n");
    expect(await readConfigFiles([join(dir, "none"), join(dir, "a"), join(dir, "a", "b")], {})).toEqual([
      { path: join(dir, "a"), text: "image: x\n" },
    ]);
  });

  it("says which file it cannot read", async () => {
    await expect(readConfigFiles([dir], {})).rejects.toMatchObject({
      code: "config.invalid",
      message: `cannot read ${dir}: EISDIR`,
    });
  });
});

describe("prepareFolders", () => {
  it("makes private folders, again and again", async () => {
    await prepareFolders(paths(), uid);
    await prepareFolders(paths(), uid);
    for (const made of [paths().state.dir, paths().state.logs, paths().runtime.dir, paths().runtime.boot]) {
      expect((await lstat(made)).mode & 0o777).toBe(0o700);
    }
  });

  it("refuses a folder that is open to others, a link, and another user's", async () => {
    await mkdir(paths().runtime.dir, { recursive: true });
    await chmod(paths().runtime.dir, 0o755);
    await expect(prepareFolders(paths(), uid)).rejects.toMatchObject({
      code: "config.invalid",
      message: `${paths().runtime.dir} is open to other users (mode 755)`,
      hint: `run: chmod 700 ${paths().runtime.dir}`,
    });
    await rm(paths().runtime.dir, { recursive: true });
    await mkdir(join(dir, "elsewhere"), { mode: 0o700 });
    await symlink(join(dir, "elsewhere"), paths().runtime.dir);
    await expect(prepareFolders(paths(), uid)).rejects.toThrow(/is not a folder/);
    await rm(paths().runtime.dir);
    await expect(prepareFolders(paths(), uid + 1)).rejects.toThrow(`belongs to uid ${uid}, not to ${uid + 1}`);
  });
});
