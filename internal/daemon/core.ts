import { accessSync } from "node:fs";
import { join } from "node:path";
import { systemClock, systemRandom } from "../base/index.ts";
import { type AttemptFiles, createDispatcher, type Dispatcher } from "../dispatch/index.ts";
import type { HardenedGit } from "../git/index.ts";
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
import type { Inbox } from "../inbox/index.ts";
import { connectEngine, type EngineSettings } from "../podman/index.ts";
import type { InstallFacts } from "../reconcile/index.ts";
import { createAttemptFiles, openStore, type Store } from "../store/index.ts";
import {
  type BootFolders,
  type EngineFinder,
  type HostView,
  type ImageMaker,
  type JobDesk,
  type LaneStore,
  Supervisor,
} from "../supervisor/index.ts";
import type { LaneApiRequest, LaneApiResponse, LaneGit } from "../workerlink/index.ts";
import type { CredentialDesk } from "./credentials/credential-desk.ts";
import { type CredentialOptions, openCredentials } from "./credentials/open-credentials.ts";
import { createGitDesk, type GitDesk } from "./git/git-desk.ts";
import { createPushDesk, type PushDesk } from "./git/push-desk.ts";
import { openInbox } from "./inbox/inbox-desk.ts";
import { createItemKeeper } from "./inbox/item-keeper.ts";
import { readInstallId } from "./install-id.ts";
import { openPackages } from "./lanes/open-packages.ts";
import type { PackagesDesk } from "./lanes/packages-desk.ts";
import { toLimits, toPolicy } from "./limits.ts";
import { createOutputKeeper } from "./output-keeper.ts";
import type { AccountBook } from "./prompts/account-book.ts";
import { openPrompts } from "./prompts/open-prompts.ts";
import { createRedaction } from "./redaction.ts";
import type { LaneSetup } from "./settings/lane-setup.ts";
import { openLaneMaking, renewLane } from "./settings/open-lane-config.ts";
import type { LaneConfigDesk } from "./settings/workspace-settings.ts";
import { createWorkerLinks, type DaemonLink } from "./worker-links.ts";

/** OCI runtimes that a trial may use, best first. */
export const RUNTIMES = ["crun", "runc"] as const;

/** Usual places of the host's CA bundle. */
const CA_BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/** What the daemon's core is made from. */
export interface CoreOptions extends CredentialOptions {
  readonly uid: number;
  /** `$XDG_RUNTIME_DIR`, where the user's own Podman socket may be. */
  readonly userRuntimeDir: string | null;
  readonly timeZone: string;
  /** `dist/bin`. */
  readonly builtDir: string;
  /** npm's environment: where it is, and how it gets to its registry. */
  readonly npmEnv: NpmEnv;
  readonly git: HardenedGit;
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
  readonly gitDesk: GitDesk;
  readonly pushes: PushDesk;
  /** The git of a lane whose worker is of this build, and so knows every question; null without one. */
  readonly privateGit: (laneId: string) => LaneGit | null;
  readonly laneConfig: LaneConfigDesk;
  readonly setup: LaneSetup;
  readonly packages: PackagesDesk;
  /** The accounts that agents work under. */
  readonly accounts: AccountBook;
  readonly inbox: Inbox;
}

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
      workerBuild: facts.workerBuild,
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
    const making = openLaneMaking(options, {
      store,
      desk: {
        raise: (said) => inboxDesk.inbox.raise(said),
        resolve: (subject) => inboxDesk.inbox.resolve(subject),
      },
      dispatcher: () => dispatcher,
      lanes: () => supervisor.lanes(),
      findLane: (laneId) => supervisor.findLane(laneId),
      isReady: (laneId) => supervisor.view(laneId).state.phase === "ready",
      renew: (laneId) => renewLane(supervisor, laneId),
    });
    const prompts = openPrompts(options, {
      store,
      agents,
      desk,
      configOf: (lane) => making.config.current(lane),
      findLane: (laneId) => supervisor.findLane(laneId),
      retry: (jobId) => void dispatcher.retry(jobId),
      readmit: () => dispatcher.readmit(),
    });
    onLogins = prompts.loginsChanged;
    const inboxDesk = openInbox({
      store,
      redact: redaction.redact,
      acceptTasks: settings.tasks.accept,
      onApproval: making.onAnswered,
      around: () => ({ dispatcher, supervisor, gitDesk, desk, accounts: prompts.accounts }),
      log: log.child({ component: "inbox" }),
    });
    const dispatcher = createDispatcher({
      store,
      clock: systemClock,
      log: log.child({ component: "dispatch" }),
      redact: redaction.redact,
      questions: inboxDesk.inbox,
      files: files satisfies AttemptFiles,
      findSpec: (laneId, generation) => store.lanes.findGeneration(laneId, generation)?.spec ?? null,
      work: making.holdBack(prompts.work),
      freeMemoryBytes: readFreeMemory,
      policy: toPolicy(settings),
      // Never from inside the dispatcher's own call.
      onActivity: (laneId) => {
        setImmediate(() => supervisor.wake(laneId));
        desk.noteActivity(laneId);
      },
      dropLink: (laneId, error) => supervisor.dropLink(laneId, error.message),
      endLane: (laneId, generation, cause) => supervisor.endGeneration(laneId, generation, cause),
    });
    const gitDesk = createGitDesk({
      git: options.git,
      dir: join(paths.state.dir, "bundles"),
      lanes: () => supervisor.lanes(),
      findWorkspace: (id) => store.workspaces.find(id),
      findSpec: (laneId, generation) => store.lanes.findGeneration(laneId, generation)?.spec ?? null,
      linkOf: (laneId) => links.of(laneId)?.git ?? null,
      busy: (laneId) => dispatcher.busy(laneId),
      feed: store.feed,
      workOf: store.jobs.findGit,
      unkeptJobOf: store.jobs.findUnkept,
      saveWork: (job, work, atMs) => {
        store.jobs.putGit(job, work, atMs);
        inboxDesk.workLeft(job, work);
      },
      clock: systemClock,
      log: log.child({ component: "git" }),
    });
    const pushes = createPushDesk({
      git: options.git,
      gitDesk,
      findLane: (laneId) => supervisor.findLane(laneId),
      gitDirOf: gitDesk.gitDirOf,
      feed: store.feed,
      clock: systemClock,
      log: log.child({ component: "push" }),
    });
    const packages = openPackages(options, {
      install,
      caBundle: facts.install.caBundle,
      lanes: () => supervisor.lanes(),
      wake: (laneId) => supervisor.wake(laneId),
    });
    const supervisor = new Supervisor<DaemonLink>({
      install: facts.install,
      objectsOf: gitDesk.objectsOf,
      effectiveOf: async (lane, opts) => (await making.config.refresh(lane, opts)).lane,
      agents: agents.specs,
      images: packages satisfies ImageMaker,
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
        gitSeed: gitDesk.seedOf,
      }) satisfies BootFolders,
      host: createHostView({ runtimes: RUNTIMES }) satisfies HostView,
      desk: {
        ...dispatcher,
        attachLink: (link) => {
          making.setup.begin(link.laneId);
          dispatcher.attachLink(link);
        },
      } satisfies JobDesk<DaemonLink>,
      clock: systemClock,
      random: systemRandom,
      log: log.child({ component: "supervisor" }),
      limits: toLimits(settings),
    });
    supervisor.start();
    inboxDesk.start();
    const keeper = createOutputKeeper({
      dir: join(paths.state.dir, "jobs"),
      jobs: store.jobs,
      limits: { forMs: settings.jobs.keepForMs, bytes: settings.jobs.keepBytes },
      clock: systemClock,
      log: log.child({ component: "output" }),
    });
    const itemKeeper = createItemKeeper({
      inbox: inboxDesk.inbox,
      keepForMs: settings.inbox.keepForMs,
      mark: inboxDesk.mark,
      clock: systemClock,
      log: log.child({ component: "inbox" }),
    });
    return {
      install,
      store,
      supervisor,
      dispatcher,
      files,
      agents,
      credentials: desk,
      gitDesk,
      pushes,
      privateGit: (laneId) => {
        const link = links.of(laneId);
        return link?.build === facts.workerBuild ? link.git : null;
      },
      laneConfig: making.config,
      setup: making.setup,
      packages,
      accounts: prompts.accounts,
      inbox: inboxDesk.inbox,
      async [Symbol.asyncDispose]() {
        await desk[Symbol.asyncDispose]();
        await pushes[Symbol.asyncDispose]();
        await gitDesk[Symbol.asyncDispose]();
        await prompts[Symbol.asyncDispose]();
        await supervisor.close();
        await packages[Symbol.asyncDispose]();
        await dispatcher[Symbol.asyncDispose]();
        await keeper[Symbol.asyncDispose]();
        await itemKeeper[Symbol.asyncDispose]();
        links[Symbol.dispose]();
        inboxDesk[Symbol.dispose]();
        store.close();
      },
    };
  } catch (error) {
    await credentials?.[Symbol.asyncDispose]();
    store.close();
    throw error;
  }
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
