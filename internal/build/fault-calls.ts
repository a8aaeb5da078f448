import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

/** A whole statement: what is left of it is an empty one. */
const FAULT_CALL = /\b(?:faultPoint|armFaults)\([^()]*\);/g;

/** Takes the fault points (`base/fault-point.ts`) out of our own sources: no trace of them is in the product. */
export const withoutFaultCalls: Plugin = {
  name: "without-fault-calls",
  setup: (bundler) => {
    bundler.onLoad({ filter: /\/(?:cmd|internal)\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const contents = text.replaceAll(FAULT_CALL, ";");
      return contents === text ? null : { contents, loader: "ts" };
    });
  },
};
