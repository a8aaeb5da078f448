import { measureFolder } from "../../host/index.ts";
import type { CallOptions } from "../../hostapi/index.ts";
import { resourceNames } from "../../lane/index.ts";
import type { ApiLaneDisk } from "../../protocol/index.ts";
import type { Core } from "../core.ts";

/** Each folder gets so long; then what it takes is not known. */
const MEASURE_MS = 10_000;

/** What a lane takes on the disk. Only ever looked at when somebody asks: it reads every folder of the lane. */
export async function diskOfLane(core: Core, laneId: string, { signal }: CallOptions): Promise<ApiLaneDisk> {
  const { lane, container } = core.supervisor.view(laneId);
  const names = { container: container?.id ?? null, volume: resourceNames(core.install, laneId).volume };
  // Without an engine there is still the worktree to be measured.
  const none = { containerBytes: null, volumePath: null };
  const held = await Promise.resolve()
    .then(() => core.supervisor.connection().runtime.observeDisk(names, { signal }))
    .catch(() => none);
  const measure = (path: string | null) =>
    path === null ? { bytes: null, partial: false } : measureFolder(path, { withinMs: MEASURE_MS, signal });
  const [worktree, volume] = await Promise.all([measure(lane.worktree), measure(held.volumePath)]);
  return {
    lane: laneId,
    worktreeBytes: worktree.bytes,
    volumeBytes: volume.bytes,
    containerBytes: held.containerBytes,
    partial: worktree.partial || volume.partial,
  };
}
