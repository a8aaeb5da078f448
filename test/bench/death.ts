import { readFileSync } from "node:fs";
import { pause } from "./measure.ts";
import type { Scene } from "./scene.ts";

/** A stream of events that was just opened has so long to be subscribed, ms. */
const SUBSCRIBE_MS = 100;

/** Kills a lane's worker: how long until `/v1/events` says that the lane is not ready any more, ms. Brings it up again. */
export async function killWorker(
  { api, libpod }: Scene,
  laneId: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<number> {
  const { container } = await api.bringUp(laneId, "start", { signal });
  if (container === null) throw new Error(`lane ${laneId} is ready without a container`);
  const worker = workerPidOf((await libpod.inspect(container, { signal })).pid);
  const over = new AbortController();
  const feed = api.followFeed({ signal: AbortSignal.any([signal, over.signal]) });
  const leftReady = (async () => {
    for await (const entry of feed) {
      const { to } = entry.data;
      if (entry.lane === laneId && typeof to === "string" && to !== "ready") return performance.now();
    }
    throw new Error("the feed ended");
  })();
  leftReady.catch(() => undefined);
  try {
    await pause(SUBSCRIBE_MS, signal);
    const from = performance.now();
    process.kill(worker, "SIGKILL");
    const ms = (await leftReady) - from;
    await api.bringUp(laneId, "start", { signal });
    return ms;
  } finally {
    over.abort();
  }
}

/** The worker's pid on the host: the init's only child. */
export function workerPidOf(initPid: number): number {
  const [child] = readFileSync(`/proc/${initPid}/task/${initPid}/children`, "utf8").trim().split(" ");
  const pid = Number(child);
  if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error(`process ${initPid} has no child`);
  return pid;
}
