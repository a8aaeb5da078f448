import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { readCredentialFolder } from "./read-folder.ts";

const CANARY = "canary-5f2c";
let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lk-cred-"));
  dir = join(root, "folder");
  mkdirSync(dir);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), content);
}

const read = () => readCredentialFolder(dir, {});

async function refusal(): Promise<AppError> {
  const error = await read().then(
    () => null,
    (caught: unknown) => caught,
  );
  if (!(error instanceof AppError)) throw new Error("was not refused", { cause: error });
  expect(error.code).toBe("credentials.refused");
  expect(error.message).toContain(dir);
  expect(JSON.stringify([error.message, error.hint, error.details, String(error.cause)])).not.toContain(CANARY);
  return error;
}

describe("readCredentialFolder", () => {
  it("reads all files at any depth, as they are, whatever their mode and name", async () => {
    const binary = Buffer.from([0, 255, 10, 0]);
    put("token", "t\n");
    put(".tool/auth.json", "{}");
    put(".tool/deep/er/key", binary);
    put("with space and ü", "x");
    chmodSync(join(dir, "token"), 0o644);
    const { files } = await read();
    expect(files.map(({ path }) => path)).toEqual([
      ".tool/auth.json",
      ".tool/deep/er/key",
      "token",
      "with space and ü",
    ]);
    expect(files.find(({ path }) => path === ".tool/deep/er/key")?.content).toEqual(binary);
  });

  it("has the digest of A8: sorted relative names, NUL-separated names and contents, SHA-256", async () => {
    // In an order of its own; B before a, as bytes sort.
    for (const path of ["b", "a/z", "a-b", "B", "é"]) put(path, `content of ${path}`);
    const hash = createHash("sha256");
    for (const path of ["B", "a-b", "a/z", "b", "é"]) hash.update(`${path}\0content of ${path}\0`);
    expect((await read()).digest).toBe(hash.digest("hex"));
    const before = (await read()).digest;
    writeFileSync(join(dir, "b"), "content of c");
    const after = (await read()).digest;
    expect(after).not.toBe(before);
    rmSync(join(dir, "b"));
    put("c", "content of c");
    expect((await read()).digest).not.toBe(after);
  });

  it("holds nothing when it is not there, or is empty", async () => {
    const empty = await read();
    expect(empty.files).toEqual([]);
    rmSync(dir, { recursive: true });
    expect(await read()).toEqual(empty);
  });

  it("refuses links, wherever they lead, and names them", async () => {
    put("token", CANARY);
    symlinkSync(join(dir, "token"), join(dir, "link"));
    expect((await refusal()).message).toContain('"link" is a symbolic link');
    rmSync(join(dir, "link"));
    mkdirSync(join(root, "other"));
    symlinkSync(join(root, "other"), join(dir, "sub"));
    expect((await refusal()).message).toContain('"sub" is a symbolic link');
    rmSync(join(dir, "sub"));
    symlinkSync(dir, join(root, "folder-link"));
    await expect(readCredentialFolder(join(root, "folder-link"), {})).rejects.toThrow(/is a symbolic link/);
  });

  it("refuses what is no regular file, without waiting for it", async () => {
    const server = createServer().listen(join(dir, "socket"));
    try {
      await new Promise((resolve) => server.once("listening", resolve));
      expect((await refusal()).message).toContain('"socket" is not a regular file');
    } finally {
      server.close();
    }
    await expect(readCredentialFolder("/dev/null", {})).rejects.toThrow(/is not a folder/);
  });

  it("refuses an empty file: a login that is being written, or was lost", async () => {
    put("sub/token", CANARY);
    truncateSync(join(dir, "sub/token"), 0);
    expect((await refusal()).message).toContain('"sub/token" is empty');
  });

  it("refuses names that cannot be delivered", async () => {
    put("a\nb", CANARY);
    expect((await refusal()).message).toContain(String.raw`"a\nb" has a name`);
    rmSync(join(dir, "a\nb"));
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0x66, 0xff])]), CANARY);
    expect((await refusal()).message).toContain("has a name");
  });

  it("takes as much as fits, and not one more", async () => {
    for (let i = 0; i < 64; i++) put(`${i % 4}/f${i}`, CANARY);
    expect((await read()).files).toHaveLength(64);
    put("one-more", CANARY);
    expect((await refusal()).message).toContain("more than 64 files");
    rmSync(dir, { recursive: true });
    put("a", Buffer.alloc(256 * 1024, 1));
    put("b", Buffer.alloc(256 * 1024, 1));
    expect((await read()).files).toHaveLength(2);
    put("c", "x");
    expect((await refusal()).message).toContain("more than 512 KiB in all");
    rmSync(join(dir, "c"));
    put("a", Buffer.alloc(256 * 1024 + 1, 1));
    expect((await refusal()).message).toContain('"a" is larger than 256 KiB');
  });

  it("gives up on what is somebody's home", async () => {
    for (let i = 0; i < 70; i++) mkdirSync(join(dir, `d${i}`));
    expect((await refusal()).message).toContain("more than 64 folders");
  });
});
