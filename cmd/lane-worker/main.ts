import { parseArgs } from "node:util";
import { armFaults, systemClock } from "../../internal/base/index.ts";
import { createLog, runPlacer, runWarmUp, startWorker, type WorkerLog } from "../../internal/worker/index.ts";

/**
 * The server inside every lane's container. Bundled to one CommonJS file; the loader beside it evaluates the file and
 * calls `main()`. Nothing happens on import.
 */
const OPTIONS = {
  boot: { type: "string", default: "/run/lane" },
  state: { type: "string", default: "/lane/state" },
  host: { type: "string", default: "0.0.0.0" },
  port: { type: "string", default: "31417" },
  "relay-port": { type: "string", default: "31418" },
  setpriv: { type: "string", default: "/usr/bin/setpriv" },
  /** How jobs are ended: ms after INT and after TERM. */
  ladder: { type: "string" },
} as const;

/** How the worker calls itself, as the agent, to place credentials. */
const PLACER = "place-credentials";

/** Runs until SIGTERM or SIGINT; exits 0 then, 1 when it cannot start or breaks, 2 on wrong flags. */
export async function main(argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  if (argv[0] === PLACER) return runPlacer(process.stdin, process.stdout);
  armFaults(process.env.FAULT);
  const log = createLog((line) => process.stderr.write(line));
  // Whoever reads the log may die; that must not end the lane.
  process.stderr.on("error", () => {});
  const flags = readFlags(argv, log);
  const broken = (err: unknown) => {
    log.error("worker broke", { err });
    process.exit(1);
  };
  process.on("uncaughtException", broken);
  process.on("unhandledRejection", broken);
  try {
    const worker = await startWorker({
      bootDir: flags.boot,
      stateDir: flags.state,
      host: flags.host,
      port: Number(flags.port),
      relayPort: Number(flags["relay-port"]),
      setpriv: flags.setpriv,
      placer: [process.execPath, process.argv[1] ?? "", PLACER],
      worker: whoAmI(),
      env: process.env,
      clock: systemClock,
      log,
      ladder: flags.ladder === undefined ? undefined : parseLadder(flags.ladder),
    });
    let stopping = false;
    const stop = () => {
      if (stopping) return;
      stopping = true;
      worker.stop().then(() => process.exit(0), broken);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  } catch (err) {
    log.error("worker not started", { err });
    process.exit(1);
  }
}

/** Exercises the worker once for the build's code cache; see {@link runWarmUp}. */
export function warmUp(): Promise<void> {
  return runWarmUp(whoAmI());
}

function readFlags(argv: readonly string[], log: WorkerLog) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
  } catch (err) {
    log.error("wrong flags", { err });
    return process.exit(2);
  }
}

function parseLadder(text: string) {
  const [intMs = "", termMs = ""] = text.split(",");
  return [
    { signal: "SIGINT", waitMs: Number(intMs) },
    { signal: "SIGTERM", waitMs: Number(termMs) },
  ] as const;
}

function whoAmI() {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: process.pid };
}
