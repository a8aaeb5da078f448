import { accessSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { AGENTS } from "../agents/index.ts";
import { systemClock, systemRandom } from "../base/index.ts";
import type { AgentSettings, Paths, Settings } from "../config/index.ts";
import { createLoginDigest } from "../credentials/index.ts";
import {
  type AttemptFiles,
  createCommandResolver,
  createDispatcher,
  DEFAULT_POLICY,
  type Dispatcher,
  type DispatchPolicy,
} from "../dispatch/index.ts";
import {
  type AgentCache,
  createBootFolders,
  createHostView,
  createNpm,
  installWorkerFiles,
  type NpmEnv,
  openAgentCache,
  readFreeMemory,
} from "../host/index.ts";
import { loadOrCreateToken } from "../hostapi/index.ts";
import { connectEngine, type EngineSettings } from "../podman/index.ts";
import { DEFAULT_PLAN_LIMITS, DEFAULT_RESTART_POLICY, type InstallFacts } from "../reconcile/index.ts";
import { createAttemptFiles, openStore, type Store } from "../store/index.ts";
import {
  type BootFolders,
  DEFAULT_LIMITS,
  type EngineFinder,
  type HostView,
  type JobDesk,
  type LaneStore,
  Supervisor,
  type SupervisorLimits,
} from "../supervisor/index.ts";
import type { LaneApiRequest, LaneApiResponse } from "../workerlink/index.ts";
import { type AccountBook, openAccountBook } from "./account-book.ts";
import { type CredentialDesk, type CredentialDeskDeps, openCredentialDesk } from "./credential-desk.ts";
import { openDeliveryMark } from "./delivery-mark.ts";
import { readInstallId } from "./install-id.ts";
import { createLoginKeeper } from "./login-keeper.ts";
import { createOutputKeeper } from "./output-keeper.ts";
import { createPromptResolver } from "./prompt-work.ts";
import { createRedaction } from "./redaction.ts";
import { createWorkerLinks, type DaemonLink } from "./worker-links.ts";

/** OCI runtimes that a trial may use, best first. */
export const RUNTIMES = ["crun", "runc"] as const;

/** Usual places of the host's CA bundle. */
const CA_BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/** What the daemon's core is made from. */
export interface CoreOptions {
  readonly settings: Settings;
  readonly paths: Paths;
  readonly uid: number;
  /** `$XDG_RUNTIME_DIR`, where the user's own Podman socket may be. */
  readonly userRuntimeDir: string | null;
  readonly timeZone: string;
  /** `dist/bin`. */
  readonly builtDir: string;
  /** npm's environment: where it is, and how it gets to its registry. */
  readonly npmEnv: NpmEnv;
  /** laned's own environment, where keys of agents may be, and the user's home, where their login files are. */
  readonly loginEnv: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly log: Logger;
  /** The API's token, to be kept out of all output. */
  readonly token: string;
  /** A lane's call to the host API, with the lane that its link belongs to. */
  readonly onLaneCall: (
    laneId: string,
    request: LaneApiRequest,
    opts: { readonly signal: AbortSignal },
  ) => Promise<LaneApiResponse>;
}

/** Lanes and jobs, running. */
export interface Core extends AsyncDisposable {
  readonly install: string;
  readonly store: Store;
  readonly supervisor: Supervisor<DaemonLink>;
  readonly dispatcher: Dispatcher;
  /** Files of each attempt. */
  readonly files: AttemptFiles;
  /** Installed agents. */
  readonly agents: AgentCache;
  readonly credentials: CredentialDesk;
  /** The accounts that agents work under. */
  readonly accounts: AccountBook;
}

const NO_EXTRAS = { args: [], env: {} } as const;

/** Opens the store and starts supervisor and dispatcher. Hold the daemon's lock first. @throws store.*, host.tool_missing */
export async function startCore(options: CoreOptions): Promise<Core> {
  const { settings, paths, log } = options;
  const install = await readInstallId(paths.state.install);
  const store = openStore({
    path: paths.state.database,
    nowMs: () => systemClock.nowMs(),
    onError: (err) => log.error({ err }, "feed subscriber failed"),
  });
  const redaction = createRedaction([options.token]);
  const files = createAttemptFiles({
    dir: join(paths.state.dir, "jobs"),
    jobs: store.jobs,
    nowMs: systemClock.nowMs,
    onError: (err, path) => log.error({ err, path }, "a job's files cannot be written; jobs go on without them"),
  });
  let credentials: CredentialDesk | null = null;
  let onLogins = () => {};
  try {
    const facts = await installFacts(install, options);
    const agents = await openAgentCache({
      root: join(paths.data.dir, "agents"),
      // npm has these agents for these two, and the runtime image is a Debian.
      platform: { os: "linux", cpu: process.arch === "arm64" ? "arm64" : "x64", libc: "glibc" },
      npm: createNpm(options.npmEnv),
      nowMs: systemClock.nowMs,
    });
    const links = createWorkerLinks({
      getAcked: (laneId) => dispatcher.getAcked(laneId),
      onEvents: (...args) => dispatcher.onEvents(...args),
      onHeartbeat: (...args) => dispatcher.onHeartbeat(...args),
      onLaneCall: options.onLaneCall,
      onLost: (laneId, err) => log.info({ lane: laneId, err }, "link lost"),
    });
    // Before the dispatcher, which writes files from its first moment on.
    const desk = await openCredentials(options, {
      isInUse: (agent) => agents.inUse(agent) !== null,
      agentUid: (laneId, generation) => store.lanes.findGeneration(laneId, generation)?.spec.security.agentUid ?? null,
      otherLanes: (laneId, digest) =>
        supervisor.list().flatMap((seen) => {
          return seen.lane.id !== laneId && seen.credentials === digest ? [seen.lane.name] : [];
        }),
      onSecrets: redaction.renew,
      onChange: () => {
        supervisor.credentialsChanged();
        onLogins();
      },
    });
    credentials = desk;
    const accounts = openAccountBook({
      records: store.accounts,
      clock: systemClock,
      log: log.child({ component: "accounts" }),
      onChange: () => setImmediate(() => dispatcher.readmit()),
    });
    const logins = createLoginKeeper({
      agents: AGENTS.map(({ name }) => name),
      loginOf: desk.loginOf,
      renewLogin: desk.renewLogin,
      accounts,
      retry: (jobId) => void dispatcher.retry(jobId),
      onNeeded: (job, agent) => {
        const data = { agent };
        store.feed.append({
          atMs: systemClock.nowMs(),
          type: "agent.login_needed",
          lane: job.laneId,
          job: job.id,
          data,
        });
      },
      log: log.child({ component: "accounts" }),
    });
    onLogins = () => {
      logins.changed();
      dispatcher.readmit();
    };
    const specOf = (laneId: string) => {
      const lane = supervisor.findLane(laneId);
      return lane && (store.lanes.findGeneration(laneId, lane.generation)?.spec ?? null);
    };
    const work = createPromptResolver({
      commands: createCommandResolver({ outputCapBytes: DEFAULT_POLICY.outputCapBytes }),
      nowMs: systemClock.nowMs,
      outputCapBytes: DEFAULT_POLICY.outputCapBytes,
      installed: () => agents.specs().map(({ agent }) => agent),
      programOf: (laneId, agent) => specOf(laneId)?.agents.find((one) => one.agent === agent)?.program ?? null,
      extrasOf: (agent) => (agent === "shell" ? NO_EXTRAS : settings.agents[agent]),
      loginOf: desk.loginOf,
      preferred: (laneId) => supervisor.findLane(laneId)?.settings.agent ?? settings.agent,
      agentUid: (laneId) => specOf(laneId)?.security.agentUid ?? null,
      sessions: store.jobs,
      accounts,
      onLoginFailed: logins.failed,
    });
    const dispatcher = createDispatcher({
      store,
      clock: systemClock,
      log: log.child({ component: "dispatch" }),
      redact: redaction.redact,
      files: files satisfies AttemptFiles,
      findSpec: (laneId, generation) => store.lanes.findGeneration(laneId, generation)?.spec ?? null,
      work,
      freeMemoryBytes: readFreeMemory,
      policy: toPolicy(settings),
      // Never from inside the dispatcher's own call.
      onActivity: (laneId) => setImmediate(() => supervisor.wake(laneId)),
      dropLink: (laneId, error) => supervisor.dropLink(laneId, error.message),
      endLane: (laneId, generation, cause) => supervisor.endGeneration(laneId, generation, cause),
    });
    const supervisor = new Supervisor<DaemonLink>({
      install: facts.install,
      agents: agents.specs,
      defaultImage: settings.image,
      engine: engineFinder(options),
      links,
      credentials: desk,
      store: store.lanes satisfies LaneStore,
      boot: createBootFolders({
        bootDir: paths.runtime.boot,
        secretDir: join(paths.state.dir, "secrets"),
        workerBuild: facts.workerBuild,
        canChown: options.uid === 0,
      }) satisfies BootFolders,
      host: createHostView({ runtimes: RUNTIMES }) satisfies HostView,
      desk: dispatcher satisfies JobDesk<DaemonLink>,
      clock: systemClock,
      random: systemRandom,
      log: log.child({ component: "supervisor" }),
      limits: toLimits(settings),
    });
    supervisor.start();
    const keeper = createOutputKeeper({
      dir: join(paths.state.dir, "jobs"),
      jobs: store.jobs,
      limits: { forMs: settings.jobs.keepForMs, bytes: settings.jobs.keepBytes },
      clock: systemClock,
      log: log.child({ component: "output" }),
    });
    return {
      install,
      store,
      supervisor,
      dispatcher,
      files,
      agents,
      credentials: desk,
      accounts,
      async [Symbol.asyncDispose]() {
        await desk[Symbol.asyncDispose]();
        await logins[Symbol.asyncDispose]();
        await supervisor.close();
        await dispatcher[Symbol.asyncDispose]();
        await keeper[Symbol.asyncDispose]();
        links[Symbol.dispose]();
        store.close();
      },
    };
  } catch (error) {
    await credentials?.[Symbol.asyncDispose]();
    store.close();
    throw error;
  }
}

async function openCredentials(
  { settings, paths, log, loginEnv, home }: CoreOptions,
  deps: Omit<CredentialDeskDeps, "folder" | "logins" | "mark" | "log">,
): Promise<CredentialDesk> {
  const settingsOf = (agent: string): AgentSettings | null =>
    Object.hasOwn(settings.agents, agent) ? settings.agents[agent as keyof Settings["agents"]] : null;
  return openCredentialDesk({
    ...deps,
    folder: settings.credentials.folder,
    logins: {
      owners: AGENTS.filter(({ logins }) => logins.length > 0),
      choiceOf: (agent) => settingsOf(agent)?.credentials ?? "auto",
      syncCommandOf: (agent) => settingsOf(agent)?.syncCommand ?? null,
      env: loginEnv,
      home,
      digest: createLoginDigest(await loadOrCreateToken(join(paths.state.dir, "login-salt"))),
    },
    mark: openDeliveryMark(join(paths.state.dir, "credentials-delivered")),
    log: log.child({ component: "credentials" }),
  });
}

async function installFacts(
  install: string,
  options: CoreOptions,
): Promise<{ install: InstallFacts; workerBuild: string }> {
  const { paths, settings } = options;
  const worker = await installWorkerFiles({ built: options.builtDir, installed: join(paths.data.dir, "worker") });
  return {
    workerBuild: worker.build,
    install: {
      install,
      timeZone: options.timeZone,
      worker,
      bootDir: paths.runtime.boot,
      caBundle: CA_BUNDLES.find(isReadable) ?? null,
      defaults: settings.limits,
    },
  };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Where the engine is looked for. */
export function engineSettings(
  options: Pick<CoreOptions, "settings" | "paths" | "uid" | "userRuntimeDir">,
): EngineSettings {
  const { settings, paths } = options;
  return {
    configured: settings.engine.address,
    uid: options.uid,
    userRuntimeDir: options.userRuntimeDir,
    ownSocket: paths.runtime.podmanSocket,
    ownLog: join(paths.state.logs, "podman.log"),
    profileFile: join(paths.state.dir, "engine.json"),
    runtimes: RUNTIMES,
    forced: { ...(settings.engine.runtime ? { runtime: settings.engine.runtime } : {}), ...settings.engine.ulimits },
  };
}

function engineFinder(options: CoreOptions): EngineFinder {
  const where = engineSettings(options);
  return { connect: (opts) => connectEngine(where, opts) };
}

function toPolicy({ jobs, timeouts }: Settings): DispatchPolicy {
  return {
    ...DEFAULT_POLICY,
    admission: { maxRunning: jobs.max, minFreeMemoryBytes: jobs.minFreeMemoryBytes },
    cancelMs: timeouts.cancelMs,
    stuckAfterMs: jobs.stuckAfterMs,
    stuckAction: jobs.stuckAction,
  };
}

function toLimits(settings: Settings): SupervisorLimits {
  const { timeouts, backoff } = settings;
  return {
    ...DEFAULT_LIMITS,
    concurrency: settings.lanes.concurrency,
    startupMs: timeouts.startupMs,
    ping: { everyMs: timeouts.pingMs, timeoutMs: timeouts.pingAnswerMs, misses: DEFAULT_LIMITS.ping.misses },
    stopGraceMs: timeouts.stopGraceMs,
    relistMs: timeouts.relistMs,
    orphanGraceMs: timeouts.orphanGraceMs,
    restart: {
      ...DEFAULT_RESTART_POLICY,
      baseMs: backoff.baseMs,
      maxMs: backoff.maxMs,
      windowMs: backoff.windowMs,
      maxFailures: backoff.failures,
      forgetAfterReadyMs: backoff.forgetMs,
    },
    plan: {
      ...DEFAULT_PLAN_LIMITS,
      hungMs: timeouts.hungMs,
      stopDrainMs: timeouts.stopDrainMs,
      settleMs: timeouts.settleMs,
    },
  };
}
