import { readFileSync, statSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../internal/base/index.ts";
import { createProcessIo, type DaemonPlaces, runCli } from "../../internal/cli/index.ts";
// Not by its index, which brings the configuration's parsers along: they cost each verb 30 ms.
import { resolvePaths } from "../../internal/config/paths.ts";

// Bundled to `dist/bin/lane`: beside it stands `laned`, above it the description of the build.
const bundled = import.meta.url.includes("/dist/bin/");
const dist = new URL(bundled ? "../" : "../../dist/", import.meta.url);

process.exit(
  await runCli({
    io: createProcessIo(process),
    clock: systemClock,
    build: readBuild(),
    laned: fileURLToPath(new URL("bin/laned", dist)),
    locate,
  }),
);

async function locate(): Promise<DaemonPlaces> {
  const { runtime, state } = resolvePaths(process.env, process.getuid?.() ?? 0, {
    homedir: os.homedir(),
    tmpdir: os.tmpdir(),
    hasFolder: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  });
  return { socket: runtime.apiSocket, logFile: state.log };
}

/** What the build says of itself; run from source, this is no build. */
function readBuild(): { readonly version: string; readonly build: string } {
  try {
    return JSON.parse(readFileSync(new URL("build.json", dist), "utf8"));
  } catch {
    return { version: "0.0.0", build: "source" };
  }
}
