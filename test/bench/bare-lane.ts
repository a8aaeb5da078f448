import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { randomHex } from "../../internal/base/index.ts";
import { createBootFolders } from "../../internal/host/index.ts";
import { DEFAULT_SETTINGS, IN_LANE, type LaneSpec, type MountSpec, WORKER_UID } from "../../internal/lane/index.ts";
import { toCreateBody } from "../../internal/podman/index.ts";
import type { InspectedLane } from "./libpod.ts";
import { timed } from "./measure.ts";
import type { CallOptions } from "./podman-cli.ts";
import { probeUntilOk } from "./probe.ts";
import type { Scene } from "./scene.ts";

/** Answers every request; nothing could be smaller. */
const TRIVIAL_WORKER = `#!/usr/bin/env node
require("node:http").createServer((request, response) => response.end("ok")).listen(31417);
`;

/** How often a bare start is asked for its answer, ms. */
const BARE_PROBE_MS = 2;

/** A container with exactly a lane's spec, driven by bare libpod calls: what a lane costs without a supervisor. */
export interface BareLane {
  /** Key of the worker's proofs. */
  readonly secret: string;
  readonly generation: number;
  readonly laneId: string;
  readonly spec: LaneSpec;
  /** Create, start, inspect, probe until 200: how long, ms, and what then runs. */
  start(opts: { readonly signal: AbortSignal }): Promise<{ readonly ms: number; readonly lane: InspectedLane }>;
}

/**
 * Takes the cold lane's spec as it is on record, and gives it a network, a volume and a boot folder of its own.
 * @param worker `trivial` puts a one-line HTTP server in the worker's place, and changes nothing else
 */
export async function openBareLane(
  scene: Scene,
  opts: CallOptions & { readonly name: string; readonly worker: "same" | "trivial" },
): Promise<BareLane> {
  const name = `${scene.prefix}-${opts.name}`;
  const boot = join(scene.home.dir, `boot-${opts.name}`);
  const recorded = readSpec(join(scene.home.stateDir, "lanekeeper.db"), scene.lanes.cold.id);
  const spec = ownSpec(recorded, { name, boot: join(boot, name) });
  const generation = 1;
  const folders = createBootFolders({
    bootDir: boot,
    secretDir: join(scene.home.dir, `secrets-${opts.name}`),
    workerBuild: randomHex(32),
    canChown: process.getuid?.() === 0,
  });
  const lane = {
    ...{ id: name, name, workspaceId: "bench", branch: name, worktree: scene.lanes.cold.worktree },
    ...{ desired: "up" as const, settings: DEFAULT_SETTINGS, generation, createdAtMs: 0 },
  };
  await folders.stage({ lane, generation, spec });
  const secret = await folders.secretOf(name, generation);
  if (secret === null) throw new Error("no secret was staged");
  const labels = scene.labels;
  const isolated = { driver: "bridge", dns_enabled: false, options: { isolate: "true" } };
  await scene.libpod.createNetwork({ name, labels, ...isolated }, opts);
  const owner = { o: `uid=${WORKER_UID},gid=${WORKER_UID}` };
  await scene.libpod.createVolume({ Name: `${name}-state`, Label: labels, Options: owner }, opts);
  const run = opts.worker === "same" ? spec : withWorker(spec, await writeTrivial(scene.home.dir));
  const body = toCreateBody({ name, labels, spec: run });
  const path = opts.worker === "same" ? `/readyz?nonce=${randomHex(16)}` : "/";
  return {
    secret,
    generation,
    laneId: name,
    spec,
    start: async ({ signal }) => {
      const { libpod } = scene;
      let started: InspectedLane | undefined;
      const ms = await timed(async () => {
        const id = await libpod.create(body, { signal });
        await libpod.start(id, { signal });
        started = await libpod.inspect(id, { signal });
        await probeUntilOk(started.endpoint + path, { everyMs: BARE_PROBE_MS, signal });
      });
      if (!started) throw new Error("unreachable");
      return { ms, lane: started };
    },
  };
}

function readSpec(database: string, laneId: string): LaneSpec {
  const db = new Database(database, { readonly: true });
  try {
    const row = db
      .prepare<[string], { spec: string }>("SELECT spec FROM generations WHERE lane = ? ORDER BY generation DESC LIMIT 1")
      .get(laneId);
    if (!row) throw new Error(`no spec of lane ${laneId} is on record`);
    return JSON.parse(row.spec) as LaneSpec;
  } finally {
    db.close();
  }
}

function ownSpec(spec: LaneSpec, own: { readonly name: string; readonly boot: string }): LaneSpec {
  const mounts = spec.mounts.map((mount): MountSpec => {
    if (mount.kind === "volume") return { ...mount, source: `${own.name}-state` };
    return mount.target === IN_LANE.boot ? { ...mount, source: own.boot } : mount;
  });
  return { ...spec, mounts, network: { ...spec.network, name: own.name } };
}

function withWorker(spec: LaneSpec, hostPath: string): LaneSpec {
  const { binaries } = spec.worker;
  const replaced = binaries.map((file) => (file.target === IN_LANE.worker ? { ...file, hostPath } : file));
  return { ...spec, worker: { ...spec.worker, binaries: replaced } };
}

async function writeTrivial(folder: string): Promise<string> {
  const path = join(folder, "trivial-worker");
  await writeFile(path, TRIVIAL_WORKER);
  await chmod(path, 0o755);
  return path;
}
