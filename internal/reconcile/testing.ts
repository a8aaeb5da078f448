import { fingerprintOf } from "../fingerprint/index.ts";
import { type AgentSpec, DEFAULT_SETTINGS, type Lane, type LaneSpec, type ObservedContainer } from "../lane/index.ts";
import { buildSpec, type EngineProfile, type InstallFacts } from "./build-spec.ts";

/** Facts of an installation, for tests. */
export const TEST_INSTALL: InstallFacts = {
  install: "abcd1234",
  timeZone: "Etc/UTC",
  worker: {
    laneWorker: { hostPath: "/data/w/lane-worker", sha256: "1".repeat(64) },
    inbox: { hostPath: "/data/w/inbox", sha256: "2".repeat(64) },
    cache: { hostPath: "/data/w/lane-worker.cache", sha256: "3".repeat(64) },
  },
  bootDir: "/run/lanekeeper/boot",
  caBundle: "/etc/ssl/certs/ca-certificates.crt",
  defaults: { memoryBytes: 2 ** 30, cpus: 2, pids: 4096 },
};

/** Facts of an engine, for tests. */
export const TEST_ENGINE: EngineProfile = {
  rootless: false,
  selinux: false,
  limitsEffective: true,
  runtime: "runc",
  nofile: 4096,
  nproc: 4096,
};

/** A lane, for tests. */
export const TEST_LANE: Lane = {
  id: "demo-0123456789",
  name: "demo",
  workspaceId: "w1",
  branch: "demo",
  worktree: "/home/u/repo.lanes/demo",
  desired: "up",
  settings: { ...DEFAULT_SETTINGS, env: { EXTRA: "1" } },
  generation: 3,
  createdAtMs: 0,
};

/** An installed agent, for tests. */
export const TEST_AGENT: AgentSpec = {
  agent: "claude",
  version: "1.0.0",
  hostPath: "/data/agents/claude/1.0.0/tree",
  target: "/opt/agents/claude",
  program: "/opt/agents/claude/bin/claude",
  sha256: "4".repeat(64),
};

/** The spec of {@link TEST_LANE}. */
export function testSpec(): LaneSpec {
  const owner = { uid: 1000, gid: 1000 };
  const objects = "/home/u/repo/.git/objects";
  const facts = { imageId: "a".repeat(64), owner, agents: [TEST_AGENT], objects };
  return buildSpec(TEST_LANE, TEST_INSTALL, TEST_ENGINE, facts);
}

/** A running container made from `spec`, as inspect would show it. */
export function testContainer(spec: LaneSpec, change: Partial<ObservedContainer> = {}): ObservedContainer {
  const { whole, parts } = fingerprintOf(spec);
  return {
    id: "c".repeat(64),
    name: "lane-abcd1234-demo-0123456789",
    status: "running",
    labels: { install: "abcd1234", workspace: "w1", lane: TEST_LANE.id, generation: 3, fingerprint: whole, parts },
    rawLabels: { "io.lanekeeper.install": "abcd1234" },
    imageId: spec.image.id,
    entrypoint: spec.worker.entrypoint,
    user: `${spec.security.workerUid}:${spec.security.workerGid}`,
    workdir: spec.worker.workdir,
    env: { ...spec.env, PATH: "/usr/bin", container: "podman" },
    mounts: [
      ...spec.mounts.map(({ kind, source, target, readOnly }) => ({ kind, source, target, readOnly })),
      ...[...spec.worker.binaries, ...spec.agents].map(({ hostPath, target }) => ({
        kind: "bind" as const,
        source: hostPath,
        target,
        readOnly: true,
      })),
    ],
    ports: [{ containerPort: 31417, hostIp: "127.0.0.1", hostPort: 40000 }],
    networks: [spec.network.name],
    capabilities: spec.security.capabilities,
    memoryBytes: spec.limits.memoryBytes,
    pids: spec.limits.pids,
    cpus: spec.limits.cpus,
    pid: 100,
    conmonPid: 99,
    startedAtMs: 1,
    exitCode: null,
    oomKilled: false,
    cgroupPath: null,
    restarts: 0,
    ...change,
  };
}
