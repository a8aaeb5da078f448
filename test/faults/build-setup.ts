import { join } from "node:path";
import { execa } from "execa";

const ROOT = join(import.meta.dirname, "..", "..");

/** The test build: its fault points can be armed. */
export const FAULTY_DIST = join(ROOT, "test-artifacts", "dist-faults");

/** Once per run of this project: makes the test build, so that it is never an old one. */
export async function setup(): Promise<void> {
  await execa(join(ROOT, "node_modules", ".bin", "tsx"), [join(ROOT, "internal", "build", "main.ts")], {
    env: { LANEKEEPER_TEST_BUILD: "1" },
    stdio: ["ignore", "inherit", "inherit"],
  });
}
