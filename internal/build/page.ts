import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Metafile, type Plugin } from "esbuild";
import { sha256 } from "./build-id.ts";
import { terminalStyles } from "./terminal-styles.ts";

/** The page as built: `index.html`, and below `assets/` files whose names change with their content. */
export interface Page {
  /** By path below `dist/web`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What a browser loads before it shows anything: document, styles, the entry and what that imports. Gzipped, bytes. */
  readonly firstLoadBytes: number;
  /** What the entry loads later, when it is needed. Gzipped, bytes. */
  readonly laterBytes: number;
}

/** The most that the first load may weigh, gzipped. */
export const FIRST_LOAD_MAX_BYTES = 70_000;

const WEB = "internal/web";
/** Called `/assets/main.js` and `/assets/style.css` in the document. */
const ENTRIES = ["main.tsx", "style.css"];

/**
 * Bundles the page of `internal/web`. The same sources give the same files in every folder.
 * @param root the checkout
 * @throws esbuild's error, with its messages already on stderr
 */
export async function bundlePage(root: string): Promise<Page> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: ENTRIES.map((name) => join(WEB, name)),
    outdir: "assets",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: ["chrome115", "firefox115", "safari17"],
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    minify: true,
    legalComments: "none",
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [zodLeftOut, terminalStyles(root)],
    logLevel: "warning",
    metafile: true,
    write: false,
  });
  const files = new Map<string, Uint8Array>(
    outputFiles.map(({ path, contents }) => [`assets/${basename(path)}`, contents]),
  );
  const entries = entriesOf(metafile);
  files.set("index.html", Buffer.from(toDocument(await readFile(join(root, WEB, "index.html"), "utf8"), entries)));
  const first = ["index.html", ...withImports([...entries.values()], metafile)];
  const weigh = (paths: readonly string[]) =>
    paths.reduce((sum, path) => sum + gzipSync(files.get(path) ?? new Uint8Array()).length, 0);
  const later = [...files.keys()].filter((path) => !first.includes(path));
  return { files, firstLoadBytes: weigh(first), laterBytes: weigh(later) };
}

/** One text that stands for the whole page in the build's identity. */
export function pageDigest(page: Page): string {
  return [...page.files].map(([path, bytes]) => `${path} ${sha256(bytes)}\n`).join("");
}

/** The page trusts its own server's answers: a schema that slipped in would weigh more than all the rest. */
const zodLeftOut: Plugin = {
  name: "zod-left-out",
  setup: (bundler) => {
    bundler.onResolve({ filter: /^zod$/ }, ({ importer }) => ({
      errors: [{ text: `the page must not load zod (imported by ${importer}); import types only` }],
    }));
  },
};

/** The built file of each entry, by the name that the document calls it. */
function entriesOf(metafile: Metafile): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) => {
      const name = entryPoint === undefined ? "" : basename(entryPoint);
      return ENTRIES.includes(name) ? [[`/assets/${name.replace(/\.tsx$/, ".js")}`, path] as const] : [];
    }),
  );
}

function toDocument(html: string, entries: ReadonlyMap<string, string>): string {
  let document = html;
  for (const [name, path] of entries) {
    if (!document.includes(`"${name}"`)) throw new Error(`${WEB}/index.html does not load ${name}`);
    document = document.replaceAll(`"${name}"`, `"/${path}"`);
  }
  return document;
}

/** These outputs and all that they import at once; what comes by `import()` is not among them. */
function withImports(paths: readonly string[], metafile: Metafile): readonly string[] {
  const found = new Set<string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    for (const one of metafile.outputs[path]?.imports ?? []) {
      if (one.kind !== "dynamic-import" && !one.external) visit(one.path);
    }
  };
  for (const path of paths) visit(path);
  return [...found];
}
