import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Plugin } from "esbuild";

/** What of @xterm/xterm is replaced, how often it must be there, and by what. */
const CHANGES = [
  { found: /[\w.]+\.createElement\("style"\)/g, times: 3, by: "styleElement()" },
  { found: /(\w+)\.setAttribute\("style",/g, times: 1, by: "setStyle($1," },
] as const;

/**
 * The terminal's package writes `style` elements and attributes, which the page's policy forbids. It has no way to be told
 * otherwise (https://github.com/xtermjs/xterm.js/issues/4445), so that the four places are changed while bundling. Another
 * version of it may have others: then the build fails.
 */
export function terminalStyles(root: string): Plugin {
  return {
    name: "terminal-styles",
    setup: (bundler) => {
      bundler.onLoad({ filter: /@xterm\/xterm\/lib\/xterm\.mjs$/ }, async ({ path }) => {
        let contents = await readFile(path, "utf8");
        for (const { found, times, by } of CHANGES) {
          const count = contents.match(found)?.length ?? 0;
          if (count !== times) return { errors: [{ text: `${found} is there ${count} times, not ${times}` }] };
          contents = contents.replace(found, by);
        }
        const from = JSON.stringify(join(root, "internal", "web", "terminal", "csp-style.ts"));
        return { contents: `import { styleElement, setStyle } from ${from};\n${contents}`, loader: "js" };
      });
    },
  };
}
