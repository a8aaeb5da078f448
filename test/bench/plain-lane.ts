import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createBootFolders } from "../../internal/host/index.ts";
import { DEFAULT_SETTINGS, IN_LANE, WORKER_PORT } from "../../internal/lane/index.ts";
import type { BareLane } from "./bare-lane.ts";
import { timed } from "./measure.ts";
import { probeUntilOk } from "./probe.ts";
import type { Scene } from "./scene.ts";

/** The plain way asks this often whether a new container answers, ms. */
const PLAIN_PROBE_MS = 100;

interface Signalled {
  readonly signal: AbortSignal;
}

/** The plain way: Podman's CLI, call by call, as a script would do it. */
export interface PlainLane {
  /** Seven calls and a probe until 200; how long, ms. */
  cold(opts: Signalled): Promise<number>;
  /** Exists, inspect, port, and one probe of what {@link cold} has started; how long, ms. */
  warm(opts: Signalled): Promise<number>;
  remove(opts: Signalled): Promise<void>;
}

/**
 * Same image and same worker bundle, but without its code cache; default bridge, no volume, the engine's own rights and
 * users; credentials are copied in.
 */
export async function openPlainLane(scene: Scene, bare: BareLane, id: string): Promise<PlainLane> {
  const { cli, home, imageId } = scene;
  const name = `${scene.prefix}-${id}`;
  const boot = await stageBoot(scene, bare, name);
  const worker = bare.spec.worker.binaries.find((file) => file.target === IN_LANE.worker);
  if (!worker) throw new Error("the spec has no worker");
  const mounts = [
    `${worker.hostPath}:${IN_LANE.worker}:ro`,
    `${boot}:${IN_LANE.boot}:ro`,
    `${scene.lanes.cold.worktree}:${IN_LANE.workspace}`,
  ];
  const create = [
    ...["create", "--name", name, "--init", `--entrypoint=${IN_LANE.worker}`, `--publish=127.0.0.1::${WORKER_PORT}`],
    ...Object.entries(scene.labels).map(([key, value]) => `--label=${key}=${value}`),
    ...cli.limits,
    ...mounts.flatMap((mount) => ["--volume", mount]),
    // Without a volume its state is in the container: any folder of the image will do.
    ...[imageId, "--state", "/srv"],
  ];
  const findPort = async (opts: Signalled) => (await cli.run(["port", name, `${WORKER_PORT}/tcp`], opts)).split("\n")[0];
  const probe = async (opts: Signalled) =>
    probeUntilOk(`http://${await findPort(opts)}/healthz`, { ...opts, everyMs: PLAIN_PROBE_MS });
  return {
    cold: (opts) =>
      timed(async () => {
        await cli.run(["image", "exists", imageId], opts);
        // "No" is exit code 1.
        await cli.run(["container", "exists", name], opts).catch(() => opts.signal.throwIfAborted());
        await cli.run(create, opts);
        await cli.run(["cp", scene.credentials, `${name}:/root/.credentials`], opts);
        await cli.run(["start", name], opts);
        await cli.run(["inspect", name], opts);
        await probe(opts);
      }),
    warm: (opts) =>
      timed(async () => {
        await cli.run(["container", "exists", name], opts);
        await cli.run(["inspect", name], opts);
        await probe(opts);
      }),
    remove: (opts) => scene.libpod.remove(name, opts),
  };

  async function stageBoot({ lanes }: Scene, { spec, generation }: BareLane, laneId: string): Promise<string> {
    const dir = join(home.dir, `boot-${id}`);
    await mkdir(dir);
    const folders = createBootFolders({
      bootDir: dir,
      secretDir: join(home.dir, `secrets-${id}`),
      workerBuild: "0".repeat(64),
      canChown: false,
    });
    const { worktree } = lanes.cold;
    const lane = {
      ...{ id: laneId, name: laneId, workspaceId: "bench", branch: laneId, worktree },
      ...{ desired: "up" as const, settings: DEFAULT_SETTINGS, generation, createdAtMs: 0 },
    };
    await folders.stage({ lane, generation, spec });
    return join(dir, laneId);
  }
}
