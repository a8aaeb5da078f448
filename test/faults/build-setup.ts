import { join } from "node:path";
import { execa } from "execa";
import type { Plant } from "../../internal/build/plant.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** The test build: its fault points can be armed. */
export const FAULTY_DIST = join(ROOT, "test-artifacts", "dist-faults");

/** Once per run of this project: makes the test build, so that it is never an old one. */
export async function setup(): Promise<void> {
  await build({});
}

/** Makes a test build with a defect put into it. Returns its folder. Throws when the defect fits the sources no more. */
export async function buildPlanted(plant: Plant): Promise<string> {
  await build({ LANEKEEPER_PLANT: JSON.stringify(plant) });
  return join(ROOT, "test-artifacts", `dist-planted-${plant.name}`);
}

async function build(env: Readonly<Record<string, string>>): Promise<void> {
  await execa(join(ROOT, "node_modules", ".bin", "tsx"), [join(ROOT, "internal", "build", "main.ts")], {
    env: { LANEKEEPER_TEST_BUILD: "1", ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
}
