import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { randomHex } from "../../internal/base/index.ts";
import { IN_LANE, type LaneSpec, type MountSpec, WORKER_UID } from "../../internal/lane/index.ts";
import { toCreateBody } from "../../internal/podman/index.ts";
import type { InspectedLane } from "./libpod.ts";
import { probeUntilOk } from "./probe.ts";
import type { Scene } from "./scene.ts";
import { type StagedBoot, stageBoot } from "./stage-boot.ts";

/** Answers every request; nothing could be smaller. */
const TRIVIAL_WORKER = `#!/usr/bin/env node
require("node:http").createServer((request, response) => response.end("ok")).listen(31417);
`;

/** How often a bare start is asked for its answer, ms. */
const BARE_PROBE_MS = 2;

/** A container with exactly a lane's spec, driven by bare libpod calls: what a lane costs without a supervisor. */
export interface BareLane {
  readonly name: string;
  readonly boot: StagedBoot;
  /** Create, start, inspect, probe until 200: how long, ms, and what then runs. */
  start(opts: { readonly signal: AbortSignal }): Promise<BareStart>;
}

/** A start, and how long its parts took, ms. */
export interface BareStart {
  readonly lane: InspectedLane;
  readonly createMs: number;
  readonly startMs: number;
  /** From the start call's return to the worker's answer. */
  readonly answerMs: number;
  readonly totalMs: number;
}

/** The spec of a lane's latest generation, as it is on record. */
export function readSpec(scene: Scene, laneId: string): LaneSpec {
  const db = new Database(join(scene.home.stateDir, "lanekeeper.db"), { readonly: true });
  try {
    const row = db
      .prepare<[string], { spec: string }>(
        "SELECT spec FROM generations WHERE lane = ? ORDER BY generation DESC LIMIT 1",
      )
      .get(laneId);
    if (!row) throw new Error(`no spec of lane ${laneId} is on record`);
    return JSON.parse(row.spec) as LaneSpec;
  } finally {
    db.close();
  }
}

/**
 * Gives `spec` a network, a volume and a boot folder of its own, and leaves everything else.
 * @param opts.worker `trivial` puts a one-line HTTP server in the worker's place, and changes nothing else
 */
export async function openBareLane(
  scene: Scene,
  spec: LaneSpec,
  opts: { readonly name: string; readonly worker: "same" | "trivial"; readonly signal: AbortSignal },
): Promise<BareLane> {
  const { libpod, labels } = scene;
  const name = `${scene.prefix}-${opts.name}`;
  const boot = await stageBoot(scene, { name, spec, runsAs: "worker" });
  const isolated = { driver: "bridge", dns_enabled: false, options: { isolate: "true" } };
  await libpod.createNetwork({ name, labels, ...isolated }, opts);
  const owner = { o: `uid=${WORKER_UID},gid=${WORKER_UID}` };
  await libpod.createVolume({ Name: `${name}-state`, Label: labels, Options: owner }, opts);
  const own = withOwn(spec, { name, boot: boot.folder });
  const isSame = opts.worker === "same";
  const body = toCreateBody({ name, labels, spec: isSame ? own : withWorker(own, await writeTrivial(scene.home.dir)) });
  const path = isSame ? `/readyz?nonce=${randomHex(16)}` : "/";
  return {
    name,
    boot,
    start: async ({ signal }) => {
      const beginMs = performance.now();
      const id = await libpod.create(body, { signal });
      const createdMs = performance.now();
      await libpod.start(id, { signal });
      const startedMs = performance.now();
      const lane = await libpod.inspect(id, { signal });
      await probeUntilOk(lane.endpoint + path, { everyMs: BARE_PROBE_MS, signal });
      const endMs = performance.now();
      return {
        lane,
        createMs: createdMs - beginMs,
        startMs: startedMs - createdMs,
        answerMs: endMs - startedMs,
        totalMs: endMs - beginMs,
      };
    },
  };
}

function withOwn(spec: LaneSpec, own: { readonly name: string; readonly boot: string }): LaneSpec {
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
