import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyFiles } from "./diff-copy.ts";

const LIMITS = { fileBytes: 100, totalBytes: 250, files: 5 };
let root: string;
let from: string;
let to: string;
let foreign: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lk-copy-"));
  [from, to, foreign] = ["from", "to", "foreign"].map((name) => join(root, name)) as [string, string, string];
  for (const path of [from, to, foreign]) mkdirSync(path);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const copy = (paths: readonly string[]) => copyFiles(from, to, paths, { limits: LIMITS });

describe("copying out of a hostile work tree", () => {
  it("copies files with their right to be executed, and links as links", async () => {
    mkdirSync(join(from, "a"));
    writeFileSync(join(from, "a", "x.sh"), "x", { mode: 0o755 });
    symlinkSync("/etc/passwd", join(from, "a", "l"));
    expect(await copy(["a/l", "a/x.sh", "a/none", "gone/x", "a"])).toEqual({
      copied: ["a/l", "a/x.sh"],
      gone: ["a/none", "gone/x", "a"],
      special: [],
      skipped: [],
    });
    expect(lstatSync(join(to, "a", "x.sh")).mode & 0o777).toBe(0o755);
    expect(readlinkSync(join(to, "a", "l"))).toBe("/etc/passwd");
  });

  it("stops at its limits: of a file, of all files, of their number", async () => {
    for (const name of ["1", "2", "3", "4"]) writeFileSync(join(from, name), "x".repeat(name === "1" ? 101 : 100));
    expect((await copy(["1", "2", "3", "4"])).skipped).toEqual(["1"]);
    rmSync(to, { recursive: true });
    mkdirSync(to);
    for (const name of ["a", "b", "c", "d", "e", "f"]) writeFileSync(join(from, name), "x");
    expect((await copy(["a", "b", "c", "d", "e", "f"])).skipped).toEqual(["f"]);
    rmSync(to, { recursive: true });
    mkdirSync(to);
    expect((await copy(["2", "3", "4", "a"])).skipped).toEqual(["a"]);
  });

  it("writes through no link: not when a folder was one when it was copied, and is a folder a moment later", async () => {
    symlinkSync(foreign, join(from, "sub"));
    const paths = ["sub", "sub/x.txt", "sub/l"];
    /** The lane's turn comes between the first and the second. */
    const entries = function* (): Generator<[number, string]> {
      yield [0, "sub"];
      rmSync(join(from, "sub"));
      mkdirSync(join(from, "sub"));
      writeFileSync(join(from, "sub", "x.txt"), "planted");
      symlinkSync("planted", join(from, "sub", "l"));
      yield [1, "sub/x.txt"];
      yield [2, "sub/l"];
    };
    const { copied, skipped } = await copy(Object.assign(paths, { entries }));
    expect([copied, skipped]).toEqual([["sub"], ["sub/x.txt", "sub/l"]]);
    expect(readdirSync(foreign)).toEqual([]);
  });

  it("takes paths for bytes", async () => {
    const odd = Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff, 0xe9])]);
    writeFileSync(odd, "odd");
    expect((await copy(["\u00ff\u00e9"])).copied).toHaveLength(1);
    expect(readFileSync(Buffer.concat([Buffer.from(`${to}/`), Buffer.from([0xff, 0xe9])]), "utf8")).toBe("odd");
  });
});
