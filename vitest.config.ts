import { join } from "node:path";
import { defineConfig } from "vitest/config";

const ARTIFACTS = "test-artifacts";
const isCi = Boolean(process.env.CI);

/** What the rings on real Podman share: few at once (starting a lane takes a core), and no second tries. */
const ON_PODMAN = {
  globalSetup: ["test/support/podman-setup.ts"],
  runner: "test/support/podman-runner.ts",
  testTimeout: 60_000,
  hookTimeout: 180_000,
  retry: 0,
};

/**
 * One project per ring of tests, run one after the other (`groupOrder`). All of them: `vitest run`; one:
 * `vitest run --project unit`. On CI the results are also written to test-artifacts/vitest.json.
 */
export default defineConfig({
  test: {
    reporters: isCi ? ["default", "json"] : ["default"],
    outputFile: { json: join(ARTIFACTS, "vitest.json") },
    projects: [
      {
        test: {
          name: "unit",
          include: ["internal/**/*.test.ts", "cmd/**/*.test.ts", "test/support/**/*.test.ts"],
          // The default leaves one core out: on two cores that is one file at a time.
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...ON_PODMAN,
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...ON_PODMAN,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...ON_PODMAN,
          name: "faults",
          globalSetup: [...ON_PODMAN.globalSetup, "test/faults/build-setup.ts"],
          include: ["test/faults/**/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
