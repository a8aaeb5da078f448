import { normaliseSpec } from "../fingerprint/index.ts";
import {
  type AgentSpec,
  BOOT_GIT,
  IN_LANE,
  LANE_SPEC_SCHEMA,
  type Lane,
  type LaneSpec,
  type MountSpec,
  type PublishedPort,
  RELAY_PORT,
  resourceNames,
  WORKER_PORT,
  WORKER_UID,
} from "../lane/index.ts";

/** Facts of this installation that go into every lane's spec. */
export interface InstallFacts {
  readonly install: string;
  readonly timeZone: string;
  readonly worker: {
    readonly laneWorker: { readonly hostPath: string; readonly sha256: string };
    readonly inbox: { readonly hostPath: string; readonly sha256: string };
    /** V8 code cache beside the worker; null when it could not be made. */
    readonly cache: { readonly hostPath: string; readonly sha256: string } | null;
  };
  /** Folder that holds one bootstrap folder per lane. */
  readonly bootDir: string;
  /** The host's CA bundle, handed through; null when there is none. */
  readonly caBundle: string | null;
  readonly defaults: {
    readonly memoryBytes: number | null;
    readonly cpus: number | null;
    readonly pids: number | null;
  };
}

/** Facts of the engine that go into every lane's spec. */
export interface EngineProfile {
  readonly rootless: boolean;
  readonly selinux: boolean;
  readonly limitsEffective: boolean;
  /** OCI runtime; null for the engine's default. */
  readonly runtime: string | null;
  readonly nofile: number | null;
  readonly nproc: number | null;
}

/** Facts of one lane that were observed just now. */
export interface LaneFacts {
  readonly imageId: string;
  /** Owner of the worktree as seen in the container. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** The agents in use. */
  readonly agents: readonly AgentSpec[];
  /** Folder of the repository's objects; null: the lane has no git of its own. */
  readonly objects: string | null;
}

/** Size of the container's own log file. The worker writes little; this bounds one that does not. */
const LOG_BYTES = 10 * 1024 * 1024;

/**
 * What the worker needs, and nothing more: becoming the agent's user (SETUID, SETGID), taking the agent's rights away
 * (SETPCAP), ending its processes (KILL) and giving it its home (CHOWN).
 */
const WORKER_CAPABILITIES = ["CHOWN", "KILL", "SETGID", "SETPCAP", "SETUID"] as const;

/**
 * In a rootless engine the bootstrap folder belongs to the user who is also the agent; the secret in it has no mode
 * bits at all there, on a read-only mount, and only this capability reads it.
 */
const ROOTLESS_CAPABILITIES = ["DAC_READ_SEARCH"] as const;

/** The one place where a lane's container is decided. Pure; normalised. */
export function buildSpec(lane: Lane, install: InstallFacts, engine: EngineProfile, facts: LaneFacts): LaneSpec {
  const names = resourceNames(install.install, lane.id);
  const limit = (own: number | null, standard: number | null): number | null =>
    engine.limitsEffective ? (own ?? standard) : null;
  const cache = install.worker.cache;
  return normaliseSpec({
    schema: LANE_SPEC_SCHEMA,
    image: { id: facts.imageId },
    worker: {
      entrypoint: [IN_LANE.worker],
      workdir: IN_LANE.workspace,
      init: true,
      binaries: [
        { target: IN_LANE.worker, ...install.worker.laneWorker },
        { target: IN_LANE.inbox, ...install.worker.inbox },
        ...(cache ? [{ target: IN_LANE.workerCache, ...cache }] : []),
      ],
    },
    mounts: [...mountsOf(lane, install, engine, names.volume), ...gitMountsOf(lane, install, engine, facts.objects)],
    env: {
      ...lane.settings.env,
      HOME: IN_LANE.home,
      TZ: install.timeZone,
      INBOX_WORKSPACE: IN_LANE.workspace,
      INBOX_WORKSPACE_ID: lane.workspaceId,
      INBOX_LANE_ID: lane.id,
      INBOX_RUNTIME_AGENT_ID: names.container,
      INBOX_API_URL: `http://127.0.0.1:${RELAY_PORT}`,
      ...(install.caBundle ? { SSL_CERT_FILE: IN_LANE.caBundle, GIT_SSL_CAINFO: IN_LANE.caBundle } : {}),
    },
    network: { name: names.network, isolate: true, ports: portsOf(lane) },
    limits: {
      memoryBytes: limit(lane.settings.memoryBytes, install.defaults.memoryBytes),
      cpus: limit(lane.settings.cpus, install.defaults.cpus),
      pids: limit(lane.settings.pids, install.defaults.pids),
      nofile: engine.nofile,
      nproc: engine.nproc,
      logBytes: LOG_BYTES,
    },
    security: {
      workerUid: WORKER_UID,
      workerGid: WORKER_UID,
      agentUid: facts.owner.uid,
      agentGid: facts.owner.gid,
      capabilities: [...WORKER_CAPABILITIES, ...(engine.rootless ? ROOTLESS_CAPABILITIES : [])],
      noNewPrivileges: true,
      readOnlyRoot: facts.owner.uid === 0,
      userns: engine.rootless ? "keep-id" : "host",
      runtime: engine.runtime,
    },
    agents: facts.agents,
  });
}

/** The worker's, and those of the lane's own. Never on anything but loopback. */
function portsOf(lane: Lane): PublishedPort[] {
  const others = new Set(lane.settings.ports ?? []);
  others.delete(WORKER_PORT);
  return [WORKER_PORT, ...others].map((containerPort) => ({ containerPort, hostIp: "127.0.0.1" }));
}

function mountsOf(lane: Lane, install: InstallFacts, engine: EngineProfile, volume: string): MountSpec[] {
  const bind = bindFor(engine);
  return [
    bind(lane.worktree, IN_LANE.workspace, false),
    bind(`${install.bootDir}/${lane.id}`, IN_LANE.boot, true),
    { kind: "volume", source: volume, target: IN_LANE.state, readOnly: false },
    ...(install.caBundle ? [bind(install.caBundle, IN_LANE.caBundle, true)] : []),
  ];
}

/** Git in the lane never reaches the repository's own git dir: it borrows the objects, and cannot write them. */
function gitMountsOf(lane: Lane, install: InstallFacts, engine: EngineProfile, objects: string | null): MountSpec[] {
  if (objects === null) return [];
  const bind = bindFor(engine);
  const pointer = `${install.bootDir}/${lane.id}/${BOOT_GIT.pointer}`;
  return [bind(pointer, IN_LANE.gitPointer, true), bind(objects, IN_LANE.objects, true)];
}

function bindFor(engine: EngineProfile): (source: string, target: string, readOnly: boolean) => MountSpec {
  return (source, target, readOnly) => ({ kind: "bind", source, target, readOnly, relabel: engine.selinux });
}
