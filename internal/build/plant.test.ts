import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleProgram } from "./bundle.ts";
import type { PlantedChange } from "./plant.ts";
import { PROGRAMS } from "./programs.ts";

const ENTRY = "cmd/inbox/main.ts";

describe("a plant", () => {
  let root: string;
  const inbox = PROGRAMS.find(({ name }) => name === "inbox");
  const bundle = (plant: readonly PlantedChange[]) => {
    if (!inbox) throw new Error("no program inbox");
    return bundleProgram(root, inbox, { faults: true, plant });
  };

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "lanekeeper-plant-test-"));
    await mkdir(join(root, "cmd", "inbox"), { recursive: true });
    await writeFile(join(root, ENTRY), 'console.log("sound");\nconsole.log("twice");\nconsole.log("twice");\n');
    await writeFile(join(root, "elsewhere.ts"), "export {};\n");
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it("takes the place of its line", async () => {
    const text = await bundle([{ file: ENTRY, find: '"sound"', put: '"$& broken"' }]);
    expect(text).toContain('"$& broken"');
    expect(text).not.toContain("sound");
  });

  it.each([
    ["is not there", { file: ENTRY, find: "absent", put: "" }, "0 times"],
    ["is there more than once", { file: ENTRY, find: '"twice"', put: "" }, "2 times"],
    [
      "is not there, in a file that the program does not use",
      { file: "elsewhere.ts", find: "x = 1", put: "" },
      "0 times",
    ],
    ["was in a file that is gone", { file: "gone.ts", find: "x", put: "" }, "gone.ts"],
  ])("makes the build fail when its line %s", async (_, change, why) => {
    await expect(bundle([change])).rejects.toThrow(why);
  });
});
