import { join } from "node:path";
import { createBootFolders } from "../../internal/host/index.ts";
import { DEFAULT_SETTINGS, type LaneSpec } from "../../internal/lane/index.ts";
import type { Scene } from "./scene.ts";

/** Generation of every container that a bench makes itself. */
export const BENCH_GENERATION = 1;

/** What a worker is started with. */
export interface StagedBoot {
  /** To be mounted at `/run/lane`. */
  readonly folder: string;
  /** Key of its proofs. */
  readonly secret: string;
}

/** Stages the boot folder of a worker that no daemon knows; `name` is also its lane's id. */
export async function stageBoot(
  scene: Scene,
  worker: { readonly name: string; readonly spec: LaneSpec; readonly runsAs: "worker" | "root" },
): Promise<StagedBoot> {
  const { name, spec } = worker;
  const bootDir = join(scene.home.dir, "boot");
  const folders = createBootFolders({
    bootDir,
    secretDir: join(scene.home.dir, "secrets"),
    workerBuild: "0".repeat(64),
    canChown: worker.runsAs === "worker" && process.getuid?.() === 0,
  });
  const lane = {
    id: name,
    name,
    workspaceId: "bench",
    branch: name,
    worktree: scene.lanes.cold.worktree,
    desired: "up",
    settings: DEFAULT_SETTINGS,
    generation: BENCH_GENERATION,
    createdAtMs: 0,
  } as const;
  await folders.stage({ lane, generation: BENCH_GENERATION, spec });
  const secret = await folders.secretOf(name, BENCH_GENERATION);
  if (secret === null) throw new Error(`no secret was staged for ${name}`);
  return { folder: join(bootDir, name), secret };
}
