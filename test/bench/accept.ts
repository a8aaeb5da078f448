import { pause, SETTLE_MS, timed } from "./measure.ts";
import type { Scene } from "./scene.ts";

/** How soon a job that was accepted for good runs, on a lane that does nothing else. */
export interface AcceptResult {
  /** From the POST until the job's `started` event has been read over the API, ms: what a program sees. */
  readonly startedMs: readonly number[];
  /** From the POST until the worker saw the process started, by the event's own time, whole ms. */
  readonly stampedMs: readonly number[];
  /** `podman exec true` in the same lane, in between, ms. */
  readonly execMs: readonly number[];
}

/** So many jobs in a row, then one `podman exec`. */
const JOBS_PER_EXEC = 10;

/** Not counted: connections are opened and code is loaded. */
const WARM_UP_JOBS = 5;

/** Runs `count` jobs one after the other, each from its POST to its end, with `podman exec` in between. */
export async function measureAccept(
  { api, cli, lanes }: Scene,
  opts: { readonly count: number; readonly signal: AbortSignal },
): Promise<AcceptResult> {
  const { signal } = opts;
  const { container } = await api.bringUp(lanes.warm.id, "ensure", { signal });
  if (container === null) throw new Error("the lane is ready and has no container");
  const startedMs: number[] = [];
  const stampedMs: number[] = [];
  const execMs: number[] = [];
  const run = async () => {
    const postedAtMs = performance.timeOrigin + performance.now();
    let seenMs: number | null = null;
    let atMs = Number.NaN;
    const from = performance.now();
    const job = await api.submit(lanes.warm.id, ["true"], { signal });
    // Followed to its end, so that the lane is idle when the next one comes.
    for await (const event of api.followJob(job.id, { signal })) {
      if (event.type !== "started") continue;
      seenMs = performance.now() - from;
      atMs = Date.parse(event.at);
    }
    if (seenMs === null) throw new Error(`job ${job.id} ended and was never started`);
    return { seenMs, stampMs: Math.max(0, atMs - postedAtMs) };
  };
  for (let n = 0; n < WARM_UP_JOBS; n++) await run();
  for (let n = 0; n < opts.count; n++) {
    if (n % JOBS_PER_EXEC === 0) {
      execMs.push(await timed(() => cli.run(["exec", container, "true"], { signal })));
      await pause(SETTLE_MS, signal);
    }
    const { seenMs, stampMs } = await run();
    startedMs.push(seenMs);
    stampedMs.push(stampMs);
  }
  return { startedMs, stampedMs, execMs };
}
