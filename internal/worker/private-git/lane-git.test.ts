import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../log.ts";
import { createGitGate } from "./git-gate.ts";
import { createLaneGit, type LaneGit } from "./lane-git.ts";
import { runAsAgent } from "./run-as-agent.ts";

let root: string;
let git: LaneGit;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lane-git-"));
  for (const name of ["boot", "state", "state/git", "bin"]) mkdirSync(join(root, name));
  const [bootDir, stateDir] = [join(root, "boot"), join(root, "state")];
  const path = `${join(root, "bin")}:${process.env.PATH}`;
  git = createLaneGit({ bootDir, stateDir, home: root, path, identity: { kind: "same" }, log: createLog(() => {}) });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Puts a program in git's place, as an agent may. It gets git's arguments behind `-C /workspace`. */
const forge = (script: string) => {
  writeFileSync(join(root, "bin", "git"), `#!/bin/sh\nshift 2\necho "$@" >> ${root}/calls\n${script}\n`);
  chmodSync(join(root, "bin", "git"), 0o755);
};
const calls = () =>
  existsSync(join(root, "calls")) ? readFileSync(join(root, "calls"), "utf8").trim().split("\n") : [];
const A = "a".repeat(40);
const B = "b".repeat(40);
const shows = (tip: string) => `if [ $1 = for-each-ref ]; then echo "${tip} refs/heads/x"; fi`;

describe("LaneGit", () => {
  it("hands over a bundle in pieces, and asks no process again while nothing has moved", async () => {
    const big = "x".repeat(700_000);
    writeFileSync(join(root, "big"), big);
    forge(`${shows(A)}; [ $1 != bundle ] || cat ${root}/big`);
    expect(await git.fetch({ branch: "x", have: [B] })).toEqual({ kind: "tip", tip: A, bundleBytes: 700_000 });
    const pieces: Buffer[] = [];
    for (let offset = 0; offset < 700_000; ) {
      const piece = await git.read(offset);
      if (piece.kind !== "piece") throw new Error(JSON.stringify(piece));
      pieces.push(Buffer.from(piece.base64, "base64"));
      offset += pieces.at(-1)?.length ?? 0;
    }
    expect(Buffer.concat(pieces).toString()).toBe(big);
    expect(existsSync(join(root, "state", "bundle"))).toBe(false);

    expect(await git.fetch({ branch: "x", have: [A] })).toEqual({ kind: "tip", tip: A, bundleBytes: null });
    const before = calls().length;
    await git.fetch({ branch: "x", have: [A] });
    expect(calls().length).toBe(before);
    writeFileSync(join(root, "state", "git", "packed-refs"), "moved");
    await git.fetch({ branch: "x", have: [A] });
    expect(calls().length).toBe(before + 1);
  });

  it("makes no bundle of a branch that was moved back to what the host has", async () => {
    const shared = join(root, "shared");
    const real = (...args: string[]) =>
      execFileSync("git", ["-C", shared, "-c", "user.name=t", "-c", "user.email=t@t", ...args]);
    mkdirSync(shared);
    real("init", "-q", "-b", "x");
    for (const message of ["one", "two"]) real("commit", "-q", "--allow-empty", "-m", message);
    const [host = "", tip = ""] = real("rev-parse", "HEAD", "HEAD~1").toString().split("\n");
    real("reset", "-q", "--soft", "HEAD~1");
    forge(`exec ${execFileSync("which", ["git"]).toString().trim()} -C ${shared} "$@"`);
    expect(await git.fetch({ branch: "x", have: [host] })).toEqual({ kind: "tip", tip, bundleBytes: null });
    expect(existsSync(join(root, "state", "bundle"))).toBe(false);
    expect(await git.fetch({ branch: "x", have: [] })).toMatchObject({ tip, bundleBytes: expect.any(Number) });
  });

  it.each([
    ["a tip that is none", shows("../../etc/passwd"), "git names no commit"],
    ["endless output", "yes", "too long"],
    ["a failure", "echo broken >&2; exit 3", "broken"],
  ])("refuses %s", async (_, script, message) => {
    forge(script);
    const reply = await git.fetch({ branch: "x", have: [] });
    expect(reply).toMatchObject({ kind: "refused", error: { message: expect.stringContaining(message) } });
  });

  it("says that a branch is not there, and that something is in its way", async () => {
    forge('echo "refs/heads/y"; exit 0');
    expect(await git.fetch({ branch: "x", have: [] })).toEqual({ kind: "tip", tip: null, bundleBytes: null });
    expect(await git.advance({ branch: "x", from: A, to: B })).toMatchObject({ kind: "refused" });
    expect(await git.read(0)).toMatchObject({ kind: "refused" });
  });

  it("kills what takes too long, with all that it started", async () => {
    const argv = ["/bin/sh", "-c", `sleep 30 & echo $! > ${root}/pid; wait`];
    const env = { PATH: process.env.PATH ?? "" };
    const end = await runAsAgent({ identity: { kind: "same" }, argv, env, timeoutMs: 300 });
    expect(end).toMatchObject({ code: null, reason: "not done after 300 ms" });
    const pid = Number(readFileSync(join(root, "pid"), "utf8"));
    await expect
      .poll(() => existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "")
      .toBe(false);
  });
});

describe("createGitGate", () => {
  it("makes a git dir once there is a seed, one at a time, and again when that failed", async () => {
    const dirs = { bootDir: join(root, "boot"), gitDir: join(root, "state", "git") };
    let made = 0;
    const gate = createGitGate(dirs, async () => {
      made++;
    });
    expect(gate.wait()).toBe(null);
    mkdirSync(join(root, "boot", "git"));
    expect(gate.wait()).toBe(gate.wait());
    await gate.wait();
    expect(made).toBe(1);
    const again = gate.wait();
    for (const name of ["HEAD", "index"]) writeFileSync(join(dirs.gitDir, name), "");
    await again;
    expect([gate.wait(), made]).toEqual([null, 2]);
  });
});
