import { statSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { systemClock, toError } from "../../internal/base/index.ts";
import { createProcessIo, type DaemonPlaces, runCli } from "../../internal/cli/index.ts";
// Not by its index, which brings the configuration's parsers along: they cost each verb 30 ms.
import { resolvePaths } from "../../internal/config/paths.ts";
import packageJson from "../../package.json" with { type: "json" };

/** Set by the build: the id that all programs of one build share. */
declare const LANEKEEPER_BUILD: string | undefined;

// Run from source there is no build, and the daemon is the one that was built last.
const build = typeof LANEKEEPER_BUILD === "string" ? LANEKEEPER_BUILD : "source";
const bin = new URL(build === "source" ? "../../dist/bin/" : "./", import.meta.url);

runCli({
  io: createProcessIo(process),
  clock: systemClock,
  build: { version: packageJson.version, build },
  laned: fileURLToPath(new URL("laned", bin)),
  locate,
}).then(
  (exitCode) => process.exit(exitCode),
  (caught: unknown) => {
    process.stderr.write(`error: ${toError(caught).message}\n`);
    process.exit(1);
  },
);

/** The places of this user's installation. @throws config.invalid */
async function locate(): Promise<DaemonPlaces> {
  const { config, runtime, state } = resolvePaths(process.env, process.getuid?.() ?? 0, {
    homedir: os.homedir(),
    tmpdir: os.tmpdir(),
    hasFolder: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  });
  return { socket: runtime.apiSocket, logFile: state.log, configFile: config.file };
}
