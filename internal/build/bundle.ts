import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { withoutFaultCalls } from "./fault-calls.ts";
import { type PlantedChange, planting } from "./plant.ts";
import { NATIVE_PACKAGES, type Program } from "./programs.ts";

/**
 * Bundles one program's sources. The text depends on the sources only (no absolute path is in it) and leaves two names
 * open that the finished program gives it: `LANEKEEPER_BUILD` (the build's id; only `cmd` may use it) and
 * `LANEKEEPER_MODULE_URL` (what `import.meta.url` becomes in CommonJS).
 * @param root the checkout
 * @param opts `faults`: a test build, which dies at a fault point when it is told to; `plant`: defects to be put into it
 * @throws esbuild's error, with its messages already on stderr
 */
export function bundleProgram(
  root: string,
  program: Program,
  opts: { readonly faults?: boolean | undefined; readonly plant?: readonly PlantedChange[] | undefined } = {},
): Promise<string> {
  return bundleFile(root, join("cmd", program.name, "main.ts"), {
    // Names stay, and lines stay short: Node prints the line of a fatal error, and people read stack traces.
    ...(program.codeCache ? { minifyWhitespace: true, minifySyntax: true, lineLimit: 120 } : {}),
    // `vm.Script` has no loader for `import()`; `require` does the same for what is not bundled.
    supported: { "dynamic-import": program.codeCache === null },
    external: program.where === "host" ? [...NATIVE_PACKAGES] : [],
    define: {
      "import.meta.url": "LANEKEEPER_MODULE_URL",
      "import.meta.filename": "__filename",
      "import.meta.dirname": "__dirname",
      "process.env.NODE_ENV": '"production"',
      ...(opts.faults ? { LANEKEEPER_FAULTS: "true" } : {}),
    },
    plugins: [...(opts.plant ? [planting(root, opts.plant)] : []), ...(opts.faults ? [] : [withoutFaultCalls])],
  });
}

/** The program as one executable file: behind the loader when it has a code cache, else by itself. */
export async function assembleProgram(root: string, program: Program, bundle: string, build: string): Promise<string> {
  const shebang = "#!/usr/bin/env node\n";
  if (!program.codeCache) {
    const url = 'require("node:url").pathToFileURL(__filename).href';
    return `${shebang}const LANEKEEPER_BUILD = "${build}", LANEKEEPER_MODULE_URL = ${url};\n${bundle}`;
  }
  const marker = "\n/*BUNDLE\n";
  const loader = await bundleFile(root, join(import.meta.dirname, "loader.ts"), {
    minifyWhitespace: true,
    define: { LOADER: JSON.stringify({ program: program.name, build, marker, encoding: encodingOf(bundle) }) },
  });
  return `${shebang}${loader.trimEnd()}${marker}${toCommentText(bundle)}*/\n`;
}

/** ASCII read as latin1 is not checked for UTF-8 while loading. */
function encodingOf(text: string): "latin1" | "utf8" {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the ASCII range
  return /^[\x00-\x7f]*$/.test(text) ? "latin1" : "utf8";
}

/** The loader turns it back; U+0001 is in no source. */
function toCommentText(text: string): string {
  if (text.includes("\u0001")) throw new Error("a bundle holds the character U+0001: its loader cannot carry it");
  return text.replaceAll("*/", "*\u0001/");
}

async function bundleFile(root: string, entry: string, options: BuildOptions): Promise<string> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    legalComments: "none",
    logLevel: "warning",
    ...options,
    write: false,
  });
  const [file] = result.outputFiles;
  if (!file) throw new Error(`esbuild made nothing of ${entry}`);
  return file.text;
}
