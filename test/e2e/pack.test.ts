import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { DIST } from "../support/installation.ts";

it("packs what the programs look for beside themselves, and nothing else", async ({ skip }) => {
  skip(!("files" in packageJson), "package.json names no files to be packed");
  const root = join(DIST, "..");
  const { stdout } = await execa("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root });
  const [packed] = JSON.parse(stdout) as { files: { path: string; mode: number }[] }[];
  const paths = packed?.files.map(({ path }) => path) ?? [];
  const scripts = (await readdir(join(root, "runtime-image"))).map((name) => `runtime-image/${name}`);
  const assets = (await readdir(join(DIST, "web", "assets"))).map((name) => `dist/web/assets/${name}`);
  const programs = ["lane", "laned", "lane-worker", "inbox"].map((name) => `dist/bin/${name}`);
  const needed = [...programs, "dist/build.json", "dist/package.json", "dist/web/index.html", ...assets, ...scripts];
  expect(paths).toEqual(expect.arrayContaining(needed));
  for (const path of programs) expect(packed?.files.find((file) => file.path === path)?.mode, path).toBe(0o755);
  // Code caches fit one Node only, and a program that refuses its own says so each time.
  const beside =
    /^(?:dist\/(?:bin\/(?!.*\.cache)|web\/|(?:build|package)\.json$)|runtime-image\/|docs\/|[A-Z]+(?:\.md)?$|package\.json$)/;
  expect(paths.filter((path) => !beside.test(path))).toEqual([]);
});
