import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasCode, randomHex } from "../../internal/base/index.ts";
import { fingerprintOf } from "../../internal/fingerprint/index.ts";
import { type LaneSpec, resourceNames, toLabels } from "../../internal/lane/index.ts";
import {
  connectEngine,
  type PodmanConnection,
  type RuntimeProfile,
  stopOwnService,
} from "../../internal/podman/index.ts";
import { testSpec } from "../../internal/reconcile/testing.ts";
import type { CreateContainer } from "../../internal/supervisor/ports.ts";
import { sweepInstall } from "./installation.ts";

/** The image of the tests: the one that the ring's global setup asks for. */
const IMAGE = process.env.LANEKEEPER_IMAGE ?? "localhost/lane-runtime:local";

/** Stands in for the worker: says who it is, and ends with code 7 on TERM. */
const WORKER = `#!/bin/sh
trap 'exit 7' TERM
grep -E '^(Cap|NoNewPrivs|Uid)' /proc/self/status
env | sed 's/^/env /'
echo "pid 1 is $(tr '\\0' ' ' < /proc/1/cmdline)"
grep -E '^Max (open files|processes)' /proc/self/limits
echo up
while :; do sleep 1000 & wait; done
`;

/** A podman service of the test's own, and what a lane's container is made from. */
export interface TestEngine extends AsyncDisposable {
  readonly connection: PodmanConnection;
  readonly profile: RuntimeProfile;
  readonly imageId: string;
  /** Every container, network and volume of this engine's tests carries it; all are removed at the end. */
  readonly install: string;
  readonly dir: string;
  readonly socket: string;
  /** A container to create, of a lane of its own; `change` is applied to its spec. */
  lane(name: string, change?: (spec: LaneSpec) => LaneSpec): CreateContainer;
}

/** Starts the service, finds the machine's profile by a real trial, and stages a stand-in for the worker. */
export async function openTestEngine(): Promise<TestEngine> {
  const dir = await mkdtemp(join(tmpdir(), "pe-"));
  const install = randomHex(4);
  const socket = join(dir, "p.sock");
  const worker = join(dir, "worker");
  await writeFile(worker, WORKER);
  await chmod(worker, 0o755);
  await chmod(dir, 0o755);
  await mkdir(join(dir, "tree"));
  const { connection, imageId, profile } = await connectWithProfile(dir, socket);
  return {
    connection,
    profile,
    imageId,
    install,
    dir,
    socket,
    lane: (name, change) => laneOf({ install, lane: name, imageId, worker, tree: join(dir, "tree"), profile }, change),
    async [Symbol.asyncDispose]() {
      await sweepInstall(install);
      await connection.close();
      await stopOwnService(socket);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A trial that finds another runtime starts the service anew: then it is connected to once more. */
async function connectWithProfile(dir: string, socket: string) {
  const settings = {
    configured: null,
    uid: -1,
    userRuntimeDir: null,
    ownSocket: socket,
    ownLog: join(dir, "podman.log"),
    profileFile: join(dir, "profile.json"),
    runtimes: ["crun", "runc"],
    forced: null,
  };
  for (let round = 1; ; round++) {
    const connection = await connectEngine(settings, {});
    try {
      const image = await connection.runtime.findImage(IMAGE, {});
      if (!image) throw new Error(`the image ${IMAGE} is missing (make image)`);
      return { connection, imageId: image.id, profile: await connection.profile({ imageId: image.id }) };
    } catch (error) {
      await connection.close();
      if (round > 1 || !hasCode(error, "engine.unavailable")) throw error;
    }
  }
}

/** What {@link laneOf} makes a container from. */
export interface LaneParts {
  readonly install: string;
  readonly lane: string;
  readonly imageId: string;
  /** The stand-in for the worker. */
  readonly worker: string;
  /** The worktree. */
  readonly tree: string;
  readonly profile: RuntimeProfile;
}

/** A lane's container to create; `change` is applied to its spec. */
export function laneOf(from: LaneParts, change: (spec: LaneSpec) => LaneSpec = (spec) => spec): CreateContainer {
  const { install, lane } = from;
  const spec = change(laneSpecOf(from));
  const { whole: fingerprint, parts } = fingerprintOf(spec);
  const labels = toLabels({ install, workspace: "w", lane, generation: 1, fingerprint, parts });
  return { name: resourceNames(install, lane).container, labels, spec };
}

/** The spec of a lane with the stand-in for its worker. */
function laneSpecOf(from: LaneParts): LaneSpec {
  const names = resourceNames(from.install, from.lane);
  const { runtime, nofile, nproc } = from.profile;
  const base = testSpec();
  return {
    ...base,
    image: { id: from.imageId },
    worker: {
      entrypoint: ["/usr/local/bin/lane-worker"],
      workdir: "/workspace",
      init: true,
      binaries: [{ target: "/usr/local/bin/lane-worker", hostPath: from.worker, sha256: "0".repeat(64) }],
    },
    mounts: [
      { kind: "bind", source: from.tree, target: "/workspace", readOnly: false, relabel: false },
      { kind: "volume", source: names.volume, target: "/lane/state", readOnly: false },
    ],
    env: { HOME: "/lane/state/home", INBOX_LANE_ID: from.lane },
    network: { name: names.network, isolate: true, ports: [{ containerPort: 31417, hostIp: "127.0.0.1" }] },
    limits: { ...base.limits, memoryBytes: 256 * 1024 * 1024, cpus: 1.5, pids: 128, nofile, nproc },
    security: { ...base.security, capabilities: ["CHOWN", "KILL", "SETGID", "SETPCAP", "SETUID"], runtime },
    agents: [],
  };
}
