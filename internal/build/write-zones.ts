#!/usr/bin/env tsx
/**
 * Writes the import zones of `zones.ts` into `biome.json`; everything else in that file is kept. With `--check` it
 * writes nothing and fails when the file does not say what the table says.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PROGRAMS_ZONES, ROOMS, ZONED_PACKAGES, type Zone } from "./zones.ts";

const FILE = fileURLToPath(new URL("../../biome.json", import.meta.url));
const RULE = "noRestrictedImports";

interface Override {
  readonly includes: readonly string[];
  readonly linter?: { readonly rules?: { readonly style?: Readonly<Record<string, unknown>> } };
}

/** Tests, and what only tests use, may reach for anything. */
const NOT_TESTS = ["!**/*.test.ts", "!**/testing*.ts", "!**/testing/**", "!**/fake-*.ts"];

function overrideOf(folder: string, self: string | null, zone: Zone): Override {
  const closed = Object.keys(ROOMS).filter((room) => room !== self && !zone.rooms.includes(room));
  const message = (what: string, names: readonly string[]) =>
    `${folder} may ${what} only: ${names.join(", ") || "none"} (internal/build/zones.ts)`;
  const group = closed.flatMap((room) => [`**/internal/${room}/**`, `../${room}/**`, `../../${room}/**`]);
  const paths = ZONED_PACKAGES.filter((name) => !zone.packages.includes(name)).map((name) => [
    name,
    message("use these packages", zone.packages),
  ]);
  const options = {
    patterns: [{ group, message: message("import", zone.rooms) }],
    paths: Object.fromEntries(paths) as Record<string, string>,
  };
  return {
    includes: [`${folder}/**/*.ts`, `${folder}/**/*.tsx`, ...NOT_TESTS],
    linter: { rules: { style: { [RULE]: { level: "error", options } } } },
  };
}

function render(): string {
  const config = JSON.parse(readFileSync(FILE, "utf8")) as { overrides?: Override[] };
  const kept = (config.overrides ?? []).filter((one) => one.linter?.rules?.style?.[RULE] === undefined);
  const rooms = Object.entries(ROOMS).map(([room, zone]) => overrideOf(`internal/${room}`, room, zone));
  const programs = Object.entries(PROGRAMS_ZONES).map(([name, zone]) => overrideOf(`cmd/${name}`, null, zone));
  const text = JSON.stringify({ ...config, overrides: [...kept, ...rooms, ...programs] });
  return execFileSync("biome", ["format", "--stdin-file-path=biome.json"], { input: text, encoding: "utf8" });
}

const wanted = render();
if (!process.argv.includes("--check")) writeFileSync(FILE, wanted);
else if (readFileSync(FILE, "utf8") !== wanted) {
  process.stderr.write("biome.json does not say what internal/build/zones.ts says: run npm run zones\n");
  process.exit(1);
}
