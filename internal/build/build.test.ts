import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAULT_NAMES } from "../base/index.ts";
import { assembleProgram, bundleProgram } from "./bundle.ts";
import { makeCodeCache } from "./code-cache.ts";
import { PROGRAMS, type Program, type ProgramName } from "./programs.ts";

const execute = promisify(execFile);
const BUILD = "b".repeat(64);

/** A worker with what a loader could trip over: comment ends, line breaks, non-ASCII, dynamic import. */
const WORKER = `
declare const LANEKEEPER_BUILD: string;
const text = \`two
lines */ é\`;
const re = /[/]a*/;
export async function main(argv = process.argv.slice(2)) {
  const { basename } = await import("node:path");
  if (argv[0] === "fail") throw new Error("broken on purpose");
  console.log(JSON.stringify({ text, re: re.source, argv, build: LANEKEEPER_BUILD, file: basename(import.meta.filename) }));
}
export async function warmUp() { await main(["warm"]); }
`;
const CLI = `if (process.argv[2] !== "quiet") console.log("cli", process.argv.length, import.meta.url.startsWith("file:///"));`;

function program(name: ProgramName): Program {
  const found = PROGRAMS.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no program ${name}`);
  return found;
}

const REPOSITORY = join(import.meta.dirname, "..", "..");

describe("the bundles of this repository", () => {
  const namesIn = (text: string) => FAULT_NAMES.filter((name) => text.includes(`"${name}"`));
  /** Short lines may be broken within a text. */
  const bundle = async (name: ProgramName, faults: boolean) =>
    (await bundleProgram(REPOSITORY, program(name), { faults })).replaceAll("\\\n", "");

  it.each(["laned", "lane-worker", "lane", "inbox"] as const)("hold no fault point: %s", async (name) => {
    const text = await bundle(name, false);
    expect(namesIn(text)).toEqual([]);
    expect(text).not.toMatch(/faultPoint|armFaults|LANEKEEPER_FAULTS|env\.FAULT\b/);
  });

  it.each(["laned", "lane-worker"] as const)("pass every point of theirs in a test build: %s", async (name) => {
    const text = await bundle(name, true);
    const own = name === "laned" ? /^(?:laned|answer)\./ : /^worker\./;
    const passed = [...text.matchAll(/faultPoint\(\s*"([^"]+)"\s*\)/g)].map((match) => match[1] ?? "");
    expect(new Set(passed)).toEqual(new Set(FAULT_NAMES.filter((known) => own.test(known))));
    expect(text).toMatch(/armFaults\(\s*process\.env\.FAULT\s*\)/);
    expect(text).not.toContain("LANEKEEPER_FAULTS");
  });
});

describe("a build", () => {
  let folder: string;
  let bin: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lanekeeper-build-test-"));
    bin = join(folder, "bin");
    await mkdir(bin);
    await checkout("one");
    await assemble("one", "lane-worker");
    await assemble("one", "lane");
    await assemble("one", "inbox");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function checkout(name: string): Promise<string> {
    const root = join(folder, name);
    for (const [command, source] of [
      ["lane-worker", WORKER],
      ["lane", CLI],
      ["inbox", CLI],
    ] as const) {
      await mkdir(join(root, "cmd", command), { recursive: true });
      await writeFile(join(root, "cmd", command, "main.ts"), source);
    }
    return root;
  }

  async function assemble(root: string, name: ProgramName): Promise<void> {
    const bundle = await bundleProgram(join(folder, root), program(name));
    await writeFile(join(bin, name), await assembleProgram(join(folder, root), program(name), bundle, BUILD));
    await chmod(join(bin, name), 0o755);
  }

  const run = (name: string, ...args: string[]) => execute(join(bin, name), args);
  const cacheOf = (name: ProgramName, warmUp: readonly string[] = []) =>
    makeCodeCache({ program: join(bin, name), warmUp, cacheDir: join(folder, "cache"), runBy: "host" });

  it("makes the same bundle in every folder", async () => {
    await checkout("another/deeper");
    const at = (root: string) => bundleProgram(join(folder, root), program("lane-worker"));
    expect(await at("another/deeper")).toBe(await at("one"));
    expect(await at("one")).not.toContain(folder);
  });

  it("runs a program behind the loader as if it stood alone", async () => {
    const { stdout, stderr } = await run("lane-worker", "a", "b");
    expect(JSON.parse(stdout)).toEqual({
      text: "two\nlines */ é",
      re: "[/]a*",
      argv: ["a", "b"],
      build: BUILD,
      file: "lane-worker",
    });
    expect(stderr).toBe("");
  });

  it("runs a program that starts by itself, with the loader and without", async () => {
    expect((await run("lane", "x")).stdout).toBe("cli 3 true\n");
    expect((await run("inbox", "x")).stdout).toBe("cli 3 true\n");
  });

  it("ends with an exit code and a short message when the program breaks", async () => {
    const broken = await run("lane-worker", "fail").catch((error: { code: number; stderr: string }) => error);
    expect(broken).toMatchObject({ code: 1 });
    expect(broken.stderr).toContain("broken on purpose");
    expect(broken.stderr.length).toBeLessThan(3000);
  });

  it("takes a cache that V8 accepts, and uses the same again for the same bytes", async () => {
    expect((await run("lane-worker", "--check-code-cache")).stdout).toBe("absent\n");
    expect(await cacheOf("lane-worker")).toEqual({ kind: "made", node: process.version });
    expect((await run("lane-worker", "--check-code-cache")).stdout).toBe("accepted\n");
    const first = await readFile(join(bin, "lane-worker.cache"));
    expect(await cacheOf("lane-worker")).toEqual({ kind: "reused", node: process.version });
    expect(first.equals(await readFile(join(bin, "lane-worker.cache")))).toBe(true);
    expect((await run("lane-worker", "x")).stderr).toBe("");
  });

  it("takes a cache after a run with arguments", async () => {
    expect(await cacheOf("lane", ["quiet"])).toEqual({ kind: "made", node: process.version });
    expect((await run("lane", "--check-code-cache")).stdout).toBe("accepted\n");
    expect((await run("lane", "x")).stdout).toBe("cli 3 true\n");
  });

  it("finds the cache where lanes have it mounted", async () => {
    await cacheOf("lane-worker");
    const local = join(folder, "usr", "local");
    await cp(join(bin, "lane-worker"), join(local, "bin", "lane-worker"), { recursive: true });
    await cp(join(bin, "lane-worker.cache"), join(local, "lib", "lanekeeper", "lane-worker.cache"), {
      recursive: true,
    });
    const { stdout } = await execute(join(local, "bin", "lane-worker"), ["--check-code-cache"]);
    expect(stdout).toBe("accepted\n");
  });

  it("says so when V8 refuses the cache, and runs all the same", async () => {
    await writeFile(join(bin, "lane-worker.cache"), "not a cache of V8");
    const { stdout, stderr } = await run("lane-worker", "x");
    expect(JSON.parse(stdout)).toMatchObject({ argv: ["x"] });
    expect(stderr).toContain("lane-worker: the code cache does not fit");
    await rm(join(bin, "lane-worker.cache"));
  });

  it("goes on without a cache when none can be made", async () => {
    await writeFile(join(bin, "broken"), "#!/usr/bin/env node\nconsole.error('no cache today'); process.exit(1)\n");
    const options = {
      program: join(bin, "broken"),
      warmUp: [],
      cacheDir: join(folder, "cache"),
      runBy: "host",
    } as const;
    expect(await makeCodeCache(options)).toMatchObject({
      kind: "none",
      reason: expect.stringContaining("no cache today"),
    });
  });
});
