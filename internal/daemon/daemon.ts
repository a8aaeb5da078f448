import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { type DestinationStream, type Logger, pino } from "pino";
import { AppError, systemClock, withDeadline } from "../base/index.ts";
import { isConfigured, type LoadedConfig, type Paths, prepareFolders } from "../config/index.ts";
import { type GitEnv, hardenedGit, sweepClones } from "../git/index.ts";
import type { NpmEnv } from "../host/index.ts";
import {
  createHostApi,
  createLaneApi,
  createMetrics,
  type LaneApi,
  listenTcp,
  listenUnix,
  loadOrCreateToken,
  openPageFiles,
} from "../hostapi/index.ts";
import { acquireDaemonLock } from "../store/index.ts";
import { startCore } from "./core.ts";
import { createCredentialService } from "./credentials/credential-service.ts";
import { openLaneGit } from "./git/lane-git-service.ts";
import { createInboxService } from "./inbox/inbox-service.ts";
import { createJobService } from "./job-service.ts";
import { createLaneService } from "./lanes/lane-service.ts";
import { openEphemeral, openLosses } from "./lanes/open-ephemeral.ts";
import { createTerminalMarks } from "./lanes/terminal-marks.ts";
import { createTerminals } from "./lanes/terminals.ts";
import { createWorkspaceService } from "./lanes/workspace-service.ts";
import { createMetricsSource } from "./metrics-source.ts";
import { createAgentService } from "./prompts/agent-service.ts";
import { createConfigService } from "./settings/config-service.ts";
import { createStatusService, type DaemonDoctor } from "./status-service.ts";

/** What the daemon is started with. */
export interface DaemonOptions {
  readonly config: LoadedConfig;
  readonly paths: Paths;
  readonly uid: number;
  readonly userRuntimeDir: string | null;
  readonly timeZone: string;
  /** `dist/bin`. */
  readonly builtDir: string;
  readonly version: string;
  readonly build: string;
  readonly gitEnv: GitEnv;
  readonly npmEnv: NpmEnv;
  /** laned's own environment, where keys of agents may be, and the user's home, where their login files are. */
  readonly loginEnv: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** `dist/web`. */
  readonly pageDir: string;
  readonly doctor: DaemonDoctor;
  readonly logTo: DestinationStream;
  /** Aborts when the daemon is to stop: a signal, or a request. */
  readonly stop: AbortController;
}

/** The page's port of last time, on record. */
const PORT_MARK = "api.port";

/** Requests under way get so long when the daemon stops, ms. */
const CLOSE_GRACE_MS = 2000;

/**
 * Runs the daemon until `stop` aborts: takes the lock, opens the store, adopts what runs, serves the API; then lets go
 * of everything in reverse, and leaves all lanes running.
 * @throws daemon.already_running, daemon.port_taken, store.*, config.invalid
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { paths, config } = options;
  // A burst of work would make the heap's young part grow to 32 MB, and V8 never gives that back.
  setFlagsFromString("--semi-space-growth-factor=1");
  const startedAtMs = Date.now();
  await prepareFolders(paths, options.uid);
  const log = pino({ level: config.settings.log.level, base: { pid: process.pid } }, options.logTo);
  const closers: (() => PromiseLike<void> | void)[] = [];
  try {
    await serve(options, log, closers, startedAtMs);
  } finally {
    const { shutdownMs } = config.settings.timeouts;
    await withDeadline({ ms: shutdownMs, makeError: stuckError }, () => unwind(closers));
    log.info("laned has stopped");
  }
}

/** Opens everything in order, leaving on `closers` how to close it, and returns when the daemon is to stop. */
async function serve(
  options: DaemonOptions,
  log: Logger,
  closers: (() => PromiseLike<void> | void)[],
  startedAtMs: number,
): Promise<void> {
  const { paths, config, stop } = options;
  const holder = { pid: process.pid, build: options.build, socket: paths.runtime.apiSocket };
  const lock = acquireDaemonLock(join(paths.state.dir, "laned.lock"), holder);
  closers.push(() => lock[Symbol.dispose]());
  const token = await loadOrCreateToken(paths.state.token);
  let laneApi: LaneApi | null = null;
  const git = hardenedGit(options.gitEnv);
  const core = await startCore({
    ...options,
    git,
    settings: config.settings,
    log,
    token,
    onLaneCall: async (laneId, request, { signal }) => {
      if (!laneApi)
        throw new AppError({ code: "daemon.stopping", message: "the daemon is starting", retry: "retryable" });
      return laneApi({ laneId, ...request, signal });
    },
  });
  closers.push(() => core[Symbol.asyncDispose]());
  const terminals = createTerminals({
    core,
    marks: createTerminalMarks(join(paths.runtime.dir, "terminals")),
    clock: systemClock,
    log: log.child({ component: "terminal" }),
  });
  closers.push(() => terminals[Symbol.asyncDispose]());
  const address: { api: string | null } = { api: null };
  const losses = openLosses(core, git);
  const ephemeral = openEphemeral(core, git, losses, log.child({ component: "ephemeral" }));
  closers.push(() => ephemeral[Symbol.asyncDispose]());
  const repositories = join(paths.data.dir, "repositories");
  await sweepClones(repositories);
  const ports = {
    workspaces: createWorkspaceService(core, git, repositories),
    lanes: createLaneService(core, git, losses),
    git: await openLaneGit(core, git, join(paths.state.dir, "scratch")),
    jobs: createJobService(core),
    agents: createAgentService(core),
    credentials: createCredentialService(core),
    laneConfig: createConfigService(core),
    feed: core.store.feed,
    inbox: createInboxService(core),
    status: createStatusService(core, {
      version: options.version,
      build: options.build,
      startedAtMs,
      socket: paths.runtime.apiSocket,
      imageReference: config.settings.image,
      api: () => address.api,
      doctor: options.doctor,
      shutdown: () => stop.abort(),
    }),
    terminals,
  };
  laneApi = createLaneApi({ ports, log });
  const metrics = createMetrics({
    ports,
    source: createMetricsSource(core),
    clock: systemClock,
    version: options.version,
    onError: (err) => log.error({ err }, "something that happened was not counted"),
  });
  closers.push(() => metrics[Symbol.dispose]());
  const api = createHostApi({
    ports,
    metrics,
    keys: core.store.requestKeys,
    token,
    log,
    clock: systemClock,
    stopping: stop.signal,
    version: options.version,
    page: openPageFiles(options.pageDir),
  });
  const configured = isConfigured(config, "api.port");
  const marks = core.store.laneCalls;
  const last = marks.findMark(PORT_MARK);
  const tcp = await listenTcp(api, { host: "127.0.0.1", port: config.settings.api.port, configured, last });
  if (!configured && tcp.port !== last) marks.putMark(PORT_MARK, tcp.port);
  closers.push(() => tcp.close({ graceMs: CLOSE_GRACE_MS }));
  address.api = tcp.address;
  const unix = await listenUnix(api, paths.runtime.apiSocket);
  closers.push(() => unix.close({ graceMs: CLOSE_GRACE_MS }));
  log.info({ install: core.install, build: options.build, api: tcp.address, socket: unix.address }, "laned is up");
  await aborted(stop.signal);
  log.info("laned is stopping; all lanes are left running");
}

/** Closes in reverse. A closer that fails does not keep the others from closing; the first failure is thrown. */
async function unwind(closers: readonly (() => PromiseLike<void> | void)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of [...closers].reverse()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function stuckError(): AppError {
  return new AppError({
    code: "timeout",
    message: "laned did not come to an end in time",
    hint: "it is ended now; nothing is lost: see the log for what it waited for",
  });
}
