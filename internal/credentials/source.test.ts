import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CredentialSource, type FolderState, openCredentialSource, setOf } from "./source.ts";

let root: string;
let dir: string;
let source: CredentialSource;
let told: FolderState[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lk-source-"));
  dir = join(root, "a", "folder");
  told = [];
});
afterEach(async () => {
  await source[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const start = async () => {
  source = await openCredentialSource(dir, {
    changed: (state) => told.push(state),
    degraded: (error) => {
      throw error;
    },
  });
};
const contents = () => setOf(source.state)?.files.map(({ path, content }) => `${path}=${content}`) ?? null;

/** Waits until the source says so; the promise of the product is two seconds. */
async function until(what: () => boolean, withinMs = 2000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!what()) {
    if (performance.now() > endMs) throw new Error(`not so: ${JSON.stringify([contents(), source.state.kind])}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("openCredentialSource", () => {
  it("sees a folder appear, change at any depth, be replaced, vanish and come back", async () => {
    await start();
    expect(contents()).toEqual([]);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "token"), "1");
    await until(() => contents()?.join() === "token=1");
    writeFileSync(join(dir, "token"), "2");
    await until(() => contents()?.join() === "token=2");
    mkdirSync(join(dir, "deep", "er"), { recursive: true });
    writeFileSync(join(dir, "deep", "er", "key"), "k");
    await until(() => contents()?.join() === "deep/er/key=k,token=2");
    writeFileSync(join(root, "new"), "3");
    renameSync(join(root, "new"), join(dir, "token"));
    await until(() => contents()?.join() === "deep/er/key=k,token=3");
    renameSync(dir, join(root, "old"));
    mkdirSync(dir);
    writeFileSync(join(dir, "other"), "4");
    await until(() => contents()?.join() === "other=4");
    writeFileSync(join(dir, "other"), "5");
    await until(() => contents()?.join() === "other=5");
    rmSync(dir, { recursive: true });
    await until(() => contents()?.length === 0);
    mkdirSync(dir);
    writeFileSync(join(dir, "back"), "6");
    await until(() => contents()?.join() === "back=6");
    for (let i = 1; i < told.length; i++) expect(told[i]).not.toEqual(told[i - 1]);
  });

  it("keeps the last usable content while it is refused, says so once, and takes the next", async () => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "token"), "1");
    await start();
    symlinkSync("/etc/passwd", join(dir, "link"));
    await until(() => source.state.kind === "refused");
    expect(contents()).toEqual(["token=1"]);
    writeFileSync(join(dir, "token"), "2");
    // Once more than its own regular reading.
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(told.map(({ kind }) => kind)).toEqual(["refused"]);
    expect(contents()).toEqual(["token=1"]);
    rmSync(join(dir, "link"));
    await until(() => contents()?.join() === "token=2");
    expect(told.map(({ kind }) => kind)).toEqual(["refused", "usable"]);
  });

  it("does not mind a file that is empty for a moment", async () => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "token"), "1");
    await start();
    writeFileSync(join(dir, "token"), "");
    await new Promise((resolve) => setTimeout(resolve, 180));
    writeFileSync(join(dir, "token"), "2");
    await until(() => contents()?.join() === "token=2");
    expect(told.map(({ kind }) => kind)).toEqual(["usable"]);
  });

  it("has nothing to give when it was refused from the start", async () => {
    mkdirSync(dir, { recursive: true });
    symlinkSync("/etc/passwd", join(dir, "link"));
    await start();
    expect([source.state.kind, contents()]).toEqual(["refused", null]);
  });
});
