import { IN_LANE, type LaneSpec, WORKER_PORT } from "../../internal/lane/index.ts";
import { timed } from "./measure.ts";
import { probeUntilOk } from "./probe.ts";
import type { Scene } from "./scene.ts";
import { stageBoot } from "./stage-boot.ts";

/** The plain way asks this often whether a new container answers, ms. */
const PLAIN_PROBE_MS = 100;

interface Signalled {
  readonly signal: AbortSignal;
}

/** The plain way: Podman's CLI, call by call, as a script would do it. */
export interface PlainLane {
  /** Seven calls and a probe until 200; how long, ms. */
  cold(opts: Signalled): Promise<number>;
  /** Exists, inspect, port, and one probe of what {@link PlainLane.cold} has started; how long, ms. */
  warm(opts: Signalled): Promise<number>;
  remove(opts: Signalled): Promise<void>;
}

/**
 * Same image and same worker bundle as `spec`, but without its code cache; default bridge, no volume, the engine's own
 * users and rights; credentials are copied in.
 */
export async function openPlainLane(scene: Scene, spec: LaneSpec, id: string): Promise<PlainLane> {
  const { cli, imageId } = scene;
  const name = `${scene.prefix}-${id}`;
  const boot = await stageBoot(scene, { name, spec, runsAs: "root" });
  const worker = spec.worker.binaries.find((file) => file.target === IN_LANE.worker);
  if (!worker) throw new Error("the spec has no worker");
  const mounts = [
    `${worker.hostPath}:${IN_LANE.worker}:ro`,
    `${boot.folder}:${IN_LANE.boot}:ro`,
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
  const readPortAndProbe = async (opts: Signalled) => {
    const [address] = (await cli.run(["port", name, `${WORKER_PORT}/tcp`], opts)).split("\n");
    await probeUntilOk(`http://${address}/healthz`, { ...opts, everyMs: PLAIN_PROBE_MS });
  };
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
        await readPortAndProbe(opts);
      }),
    warm: (opts) =>
      timed(async () => {
        await cli.run(["container", "exists", name], opts);
        await cli.run(["inspect", name], opts);
        await readPortAndProbe(opts);
      }),
    remove: (opts) => scene.libpod.remove(name, opts),
  };
}
