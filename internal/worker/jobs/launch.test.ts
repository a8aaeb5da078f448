import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NOT_LAUNCHED, toLaunchArgv } from "./launch-script.ts";
import { readProcess } from "./process-table.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lane-launch-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Starts a launcher and lets it go, or not, once it has claimed the attempt. */
async function launch(
  argv: readonly string[],
  opts: { readonly go: boolean; readonly lateEnv?: readonly string[]; readonly marker?: string },
) {
  const marker = opts.marker ?? join(dir, "marker");
  const [file, ...args] = toLaunchArgv({
    shell: "/bin/sh",
    marker,
    identityArgv: [],
    cwd: dir,
    lateEnv: opts.lateEnv ?? [],
    argv,
  });
  const child = spawn(file, args, { env: { PATH: "/usr/bin:/bin" }, stdio: ["ignore", "pipe", "inherit", "pipe"] });
  const channel = child.stdio[3] as Duplex;
  let words = "";
  let out = "";
  let startTime = 0;
  channel.on("data", (bytes) => {
    words += bytes;
    if (!words.endsWith("claimed\n")) return;
    startTime = readProcess(child.pid ?? 0)?.startTime ?? 0;
    if (opts.go) channel.write("go\n");
    else channel.end();
  });
  child.stdout?.on("data", (bytes) => {
    out += bytes;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, words: words.trim().split("\n"), out, pid: child.pid, startTime };
}

describe("the launcher", () => {
  it("starts an attempt once, of however many that try at the same time", async () => {
    const script = `echo ran >> ${dir}/ledger`;
    const runs = await Promise.all([1, 2, 3, 4, 5].map(() => launch(["/bin/sh", "-c", script], { go: true })));
    const won = runs.filter(({ words }) => words[0] === "claimed");
    const lost = runs.filter(({ words }) => words[0] === "exists");
    expect([won.length, lost.length]).toEqual([1, 4]);
    expect(lost.map(({ code }) => code)).toEqual([NOT_LAUNCHED, NOT_LAUNCHED, NOT_LAUNCHED, NOT_LAUNCHED]);
    expect(readFileSync(join(dir, "ledger"), "utf8")).toBe("ran\n");
    expect(readFileSync(join(dir, "marker"), "utf8")).toBe(`${won[0]?.pid} ${won[0]?.startTime}\n`);
  });

  it.each([
    ["made", "/nowhere/marker"],
    ["written", "/dev/full"],
  ])("executes nothing when its marker cannot be %s, and says so", async (_name, marker) => {
    const run = await launch(["touch", join(dir, "ran")], { go: true, marker });
    expect(run).toMatchObject({ code: NOT_LAUNCHED, words: ["unmarked"] });
    expect(existsSync(join(dir, "ran"))).toBe(false);
  });

  it("executes nothing when the worker dies before it says go, though the attempt counts as started", async () => {
    const run = await launch(["touch", join(dir, "ran")], { go: false });
    expect(run).toMatchObject({ code: NOT_LAUNCHED, words: ["claimed"] });
    expect([existsSync(join(dir, "ran")), existsSync(join(dir, "marker"))]).toEqual([false, true]);
  });

  it("passes every value as it is", async () => {
    const values = ["a b", "$(touch x)", "`id`", "'", '"', "\\", "*", "-n", "", "ü\n", ";true"];
    const run = await launch(["printf", "%s|", ...values], { go: true });
    expect(run.out).toBe(values.map((value) => `${value}|`).join(""));
    expect(run.words).toEqual(["claimed", "executing"]);
  });

  it("sets loader variables only at the very end, and keeps the status channel to itself", async () => {
    const run = await launch(["sh", "-c", 'echo "$LD_X"; readlink /proc/$$/fd/3 || echo closed; pwd'], {
      go: true,
      lateEnv: ["LD_X=$(id) two"],
    });
    expect(run.out).toBe(`$(id) two\nclosed\n${dir}\n`);
  });
});
