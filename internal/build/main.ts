#!/usr/bin/env tsx
/**
 * Builds `dist/`: `tsx internal/build/main.ts [PROGRAM...]`, all programs without a name.
 *
 *     dist/bin/<program>        one file each, executable
 *     dist/bin/<program>.cache  V8 code cache of those that have one, when it could be made
 *     dist/web/                 the page: `index.html` and its hashed `assets/`
 *     dist/build.json           the build's id, digests, and the Node the worker's cache is for
 *
 * With LANEKEEPER_TEST_BUILD=1 a test build, whose fault points can be armed, in `test-artifacts/dist-faults/` instead;
 * with LANEKEEPER_PLANT (a {@link Plant} as JSON) as well, one that is broken on purpose, in a folder of its own.
 */
import { access, chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildIdOf, sha256 } from "./build-id.ts";
import { assembleProgram, bundleProgram } from "./bundle.ts";
import { type CodeCacheResult, makeCodeCache } from "./code-cache.ts";
import { observeImageNode } from "./image-node.ts";
import { bundlePage, FIRST_LOAD_MAX_BYTES, type Page, pageDigest } from "./page.ts";
import type { Plant } from "./plant.ts";
import { PROGRAMS, type Program } from "./programs.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { LANEKEEPER_IMAGE, LANEKEEPER_PLANT, LANEKEEPER_TEST_BUILD, XDG_CACHE_HOME } = process.env;
const faults = LANEKEEPER_TEST_BUILD === "1";
const plant = faults && LANEKEEPER_PLANT ? (JSON.parse(LANEKEEPER_PLANT) as Plant) : null;
const dist = join(
  root,
  ...(faults ? ["test-artifacts", plant ? `dist-planted-${plant.name}` : "dist-faults"] : ["dist"]),
);
const bin = join(dist, "bin");
const image = LANEKEEPER_IMAGE || "localhost/lane-runtime:local";
const cacheDir = join(XDG_CACHE_HOME || join(homedir(), ".cache"), "lanekeeper");

async function main(): Promise<void> {
  const started = Date.now();
  const programs = await choosePrograms(process.argv.slice(2));
  const [bundles, page, imageNode] = await Promise.all([
    bundleAll(programs),
    bundlePage(root),
    observeImageNode(image),
  ]);

  // The lanes' programs have an id of their own, so that a change of the host's does not make lanes drift.
  const ids = {
    host: buildIdOf(new Map([...bundles, ["web", pageDigest(page)]])),
    lane: buildIdOf(pick(bundles, programs, "lane")),
  };
  await mkdir(bin, { recursive: true });
  await writeFile(join(dist, "package.json"), '{ "type": "commonjs" }\n');
  await placePage(page);
  const digests: Record<string, string> = {};
  for (const program of programs) {
    const text = await assembleProgram(root, program, bundles.get(program.name) ?? "", ids[program.where]);
    digests[program.name] = sha256(text);
    await placeFile(join(bin, program.name), text, 0o755);
  }

  const caches = await Promise.all(
    programs.map(async (program) => {
      if (!program.codeCache) return null;
      const runBy = program.where === "host" ? ("host" as const) : imageNode;
      const options = { program: join(bin, program.name), warmUp: program.codeCache.warmUp, cacheDir };
      const result = await makeCodeCache({ ...options, runBy: runBy ?? "host" });
      return { program, result };
    }),
  );
  const worker = caches.find((made) => made?.program.name === "lane-worker")?.result;
  for (const made of caches) if (made) report(made.program, made.result, imageNode !== null);

  const facts = {
    version: await readVersion(),
    build: ids.host,
    programs: digests,
    worker: { build: ids.lane, sha256: digests["lane-worker"] ?? null },
    nodeVersionOfCache: worker && worker.kind !== "none" ? worker.node : null,
  };
  await placeFile(join(dist, "build.json"), `${JSON.stringify(facts, null, 2)}\n`, 0o644);
  say(
    `${faults ? "test build: " : ""}built ${programs.map(({ name }) => name).join(", ")} as ${ids.host.slice(0, 12)} in ${Date.now() - started} ms`,
  );
}

async function readVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  return version;
}

async function choosePrograms(names: readonly string[]): Promise<readonly Program[]> {
  const unknown = names.filter((name) => !PROGRAMS.some((program) => program.name === name));
  if (unknown.length > 0) fail(`no such program: ${unknown.join(", ")}`);
  const chosen = PROGRAMS.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const { name } of chosen) {
    await access(join(root, "cmd", name, "main.ts")).catch(() => fail(`cmd/${name}/main.ts is missing`));
  }
  return chosen;
}

async function bundleAll(programs: readonly Program[]): Promise<ReadonlyMap<string, string>> {
  const texts = await Promise.all(
    programs.map((program) => bundleProgram(root, program, { faults, plant: plant?.changes })),
  );
  return new Map(programs.map(({ name }, index) => [name, texts[index] ?? ""]));
}

function pick(bundles: ReadonlyMap<string, string>, programs: readonly Program[], where: Program["where"]) {
  return new Map([...bundles].filter(([name]) => programs.some((p) => p.name === name && p.where === where)));
}

/** The document last: whoever reads it finds all that it names. What was there before goes then. */
async function placePage({ files, firstLoadBytes, laterBytes }: Page): Promise<void> {
  const assets = join(dist, "web", "assets");
  await mkdir(assets, { recursive: true });
  const inOrder = [...files].sort(([a], [b]) => Number(a === "index.html") - Number(b === "index.html"));
  for (const [path, bytes] of inOrder) await placeFile(join(dist, "web", path), bytes, 0o644);
  for (const name of await readdir(assets)) if (!files.has(`assets/${name}`)) await rm(join(assets, name));
  const kb = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`;
  say(`the page: ${kb(firstLoadBytes)} gzipped at first load, ${kb(laterBytes)} when it is needed`);
  if (firstLoadBytes > FIRST_LOAD_MAX_BYTES) say(`that is more than ${kb(FIRST_LOAD_MAX_BYTES)}`);
}

/** Whole or not at all: a lane or a test may be reading it. */
async function placeFile(path: string, text: string | Uint8Array, mode: number): Promise<void> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, text, { mode });
  await chmod(draft, mode);
  await rename(draft, path);
}

function report(program: Program, result: CodeCacheResult, hasImage: boolean): void {
  if (result.kind === "none") {
    say(`no code cache for ${program.name}, it will start a little slower: ${result.reason}`);
  } else if (program.where === "lane" && !hasImage) {
    say(`the runtime image is not there: the code cache of ${program.name} is for this machine's Node ${result.node}`);
  }
}

function say(text: string): void {
  process.stderr.write(`[build] ${text}\n`);
}

function fail(text: string): never {
  process.stderr.write(`[build] FAILED: ${text}\n`);
  process.exit(1);
}

main().catch((caught: unknown) => {
  // esbuild has printed its own messages; what is left is one line.
  fail(caught instanceof Error ? (caught.message.split("\n")[0] ?? "") : String(caught));
});
