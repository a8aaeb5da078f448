import { readFileSync, statSync } from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { destination } from "pino";
import { armFaults, toAppError } from "../../internal/base/index.ts";
import { isConfigured, loadConfig, readConfigFiles, resolvePaths } from "../../internal/config/index.ts";
import { engineSettings, loginVariables, observePodman, runDaemon } from "../../internal/daemon/index.ts";
import { type DoctorProbes, execRepair, observeHost, runDoctor } from "../../internal/doctor/index.ts";
import { exitCodeOf } from "../../internal/protocol/index.ts";

/** `laned` runs the daemon in the foreground; `laned doctor [--fix]` looks at the machine and prints what it found as JSON. */
async function main(argv: readonly string[]): Promise<number> {
  const { env } = process;
  armFaults(process.env.FAULT);
  const uid = process.getuid?.() ?? 0;
  const hasFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const paths = resolvePaths(env, uid, { homedir: os.homedir(), tmpdir: os.tmpdir(), hasFolder });
  const files = await readConfigFiles([paths.config.file], {});
  const config = loadConfig({ env, files, facts: { cores: os.availableParallelism() } });
  const loginEnv = { ...env };
  // Else all that it starts had them in their environment: the engine's service, and the monitors of lanes for days.
  for (const name of loginVariables()) delete env[name];
  const userRuntimeDir = env.XDG_RUNTIME_DIR || null;
  const engine = engineSettings({ settings: config.settings, paths, uid, userRuntimeDir });
  const apiPort = { port: config.settings.api.port, configured: isConfigured(config, "api.port") };
  const where = {
    env,
    uid,
    cwd: process.cwd(),
    stateFolder: paths.state.dir,
    socket: paths.runtime.apiSocket,
    apiPort,
  };
  const probes = (trial: boolean): DoctorProbes => ({
    observeHost: (opts) => observeHost(where, opts),
    observePodman: (opts) => observePodman(engine, config.settings.image, { ...opts, trial }),
    repair: execRepair,
  });
  if (argv[0] === "doctor") {
    const report = await runDoctor(probes(true), { fix: argv.includes("--fix") });
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return report.ok ? 0 : 1;
  }
  const logTo = destination({ fd: 2, sync: true });
  // A log that cannot be written (a full disk) must not take the daemon or an answer with it.
  logTo.on("error", () => undefined);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => (stop.signal.aborted ? process.exit(1) : stop.abort()));
  }
  const dist = dirname(dirname(fileURLToPath(import.meta.url)));
  const { version, build } = JSON.parse(readFileSync(join(dist, "build.json"), "utf8"));
  await runDaemon({
    config,
    paths,
    uid,
    userRuntimeDir,
    timeZone: env.TZ || Intl.DateTimeFormat().resolvedOptions().timeZone,
    builtDir: join(dist, "bin"),
    pageDir: join(dist, "web"),
    doctor: (opts) => runDoctor(probes(false), opts),
    version,
    build,
    gitEnv: { PATH: env.PATH, HOME: env.HOME, XDG_CONFIG_HOME: env.XDG_CONFIG_HOME, remote: env },
    npmEnv: env,
    loginEnv,
    home: env.HOME || os.homedir(),
    logTo,
    stop,
  });
  return 0;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (caught: unknown) => {
    const error = toAppError(caught);
    process.stderr.write(`laned: ${error.message}${error.hint ? `\n  next: ${error.hint}` : ""}\n`);
    process.exit(exitCodeOf(error.code));
  },
);
