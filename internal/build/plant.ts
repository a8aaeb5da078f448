import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "esbuild";

/** A defect put into a test build, to see that the tests notice it. */
export interface Plant {
  /** Of letters, digits and dashes: the build goes to `test-artifacts/dist-planted-<name>/`. */
  readonly name: string;
  readonly changes: readonly PlantedChange[];
}

/** In `file` (from the checkout's root) `find`, which must be there exactly once, becomes `put`. */
export interface PlantedChange {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** Plants the changes while bundling. The build fails when one does not fit its source any more. */
export function planting(root: string, changes: readonly PlantedChange[]): Plugin {
  return {
    name: "planting",
    setup: (bundler) => {
      // Also what this program's bundle does not hold: a plant that went out of date must not pass by being left out.
      bundler.onStart(async () => {
        for (const { file } of changes) await plantedText(root, file, changes);
      });
      bundler.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const { file } = changes.find((change) => join(root, change.file) === path) ?? {};
        return file === undefined ? null : { contents: await plantedText(root, file, changes), loader: "ts" };
      });
    },
  };
}

async function plantedText(root: string, file: string, changes: readonly PlantedChange[]): Promise<string> {
  let text = await readFile(join(root, file), "utf8");
  for (const change of changes.filter((one) => one.file === file)) {
    const count = text.split(change.find).length - 1;
    if (count !== 1) throw new Error(`${file} holds ${JSON.stringify(change.find)} ${count} times, once was expected`);
    text = text.replace(change.find, () => change.put);
  }
  return text;
}
