/**
 * The head of a program with a code cache: a small script of its own, followed by the whole bundle as a comment
 * of the same file. Node parses only this head; the bundle goes through `vm.Script` with the cache, which saves about
 * a third of the time to listen. A cache that V8 refuses (other Node, other flags) is reported and compiled around.
 *
 *     <program> ...                                    runs it
 *     <program> --write-code-cache FILE [-- ARGS...]   build only: warms up, writes the cache, exits
 *     <program> --check-code-cache                     prints `accepted`, `rejected` or `absent`, exits
 *
 * Warming up means the bundle's `warmUp()`, or a run with ARGS until it exits.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";

/** Set by the build. */
declare const LOADER: {
  /** The program's name, for messages and stack traces. */
  readonly program: string;
  /** The build's id. */
  readonly build: string;
  /** What the comment with the bundle begins with. */
  readonly marker: string;
  readonly encoding: "latin1" | "utf8";
};

/** What a bundle gets as parameters: CommonJS's own and ours. */
const PARAMETERS = "exports,require,module,__filename,__dirname,LANEKEEPER_BUILD,LANEKEEPER_MODULE_URL";

interface Bundle {
  readonly main?: () => unknown;
  readonly warmUp?: () => Promise<void>;
}

const WRITE = "--write-code-cache";
const CHECK = "--check-code-cache";
const mode = process.argv[2];

/** Undoes `toCommentText` of the build. */
function readBundle(): string {
  const self = readFileSync(__filename, LOADER.encoding);
  const start = self.indexOf(LOADER.marker) + LOADER.marker.length;
  return self.slice(start, self.lastIndexOf("*/")).replaceAll("*\u0001/", "*/");
}

/** Beside the program, as built; or below `../lib`, where lanes have it mounted (`IN_LANE.workerCache`). */
function readCache(): Buffer | undefined {
  const installed = join(__dirname, "..", "lib", "lanekeeper", `${LOADER.program}.cache`);
  for (const path of [installed, `${__filename}.cache`]) {
    try {
      return readFileSync(path);
    } catch {
      // Not there: the next place, or none.
    }
  }
  return undefined;
}

function compile(cachedData: Buffer | undefined): Script {
  const source = `(function(${PARAMETERS}){${readBundle()}\n})`;
  return new Script(source, { filename: LOADER.program, ...(cachedData ? { cachedData } : {}) });
}

function load(script: Script): Bundle {
  const module = { exports: {} };
  const url = pathToFileURL(__filename).href;
  script.runInThisContext()(module.exports, require, module, __filename, __dirname, LOADER.build, url);
  return module.exports;
}

function writeCache(script: Script, file: string): void {
  // A program may end at any time after it was loaded, even while loading.
  process.once("exit", () => writeFileSync(file, script.createCachedData()));
  const bundle = load(script);
  if (bundle.warmUp) {
    void bundle.warmUp().then(() => process.exit(0));
    return;
  }
  void bundle.main?.();
}

const cachedData = mode === WRITE ? undefined : readCache();
const script = compile(cachedData);
if (mode === WRITE && process.argv[3]) {
  const file = process.argv[3];
  if (process.argv[4] === "--") process.argv.splice(2, 3);
  writeCache(script, file);
} else if (mode === CHECK) {
  process.stdout.write(cachedData ? (script.cachedDataRejected ? "rejected\n" : "accepted\n") : "absent\n");
} else {
  if (cachedData && script.cachedDataRejected) {
    process.stderr.write(
      `${LOADER.program}: the code cache does not fit Node ${process.version}, starting without it\n`,
    );
  }
  void load(script).main?.();
}
