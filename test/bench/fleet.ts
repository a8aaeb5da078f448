import os from "node:os";
import type { ApiLane } from "../../internal/protocol/index.ts";
import { untilState } from "./daemon-api.ts";
import { timed } from "./measure.ts";
import type { Scene } from "./scene.ts";

/** Many lanes brought up, one by one and together. */
export interface FleetResult {
  readonly lanes: number;
  readonly concurrency: number;
  /** Until all were ready, ms; one value per pass. */
  readonly oneByOneMs: readonly number[];
  readonly togetherMs: readonly number[];
  /** Lanes that did not come up, over all passes. */
  readonly errors: readonly string[];
  /** Ports that more than one running lane had, over all passes. */
  readonly sharedPorts: number;
}

interface Signalled {
  readonly signal: AbortSignal;
}

/** Adds `count` lanes and waits until they are ready. */
export async function addFleet(scene: Scene, count: number, opts: Signalled): Promise<readonly ApiLane[]> {
  const names = Array.from({ length: count }, (_, n) => `fleet-${n + 1}`);
  return eachOf(names, os.availableParallelism(), async (name) =>
    scene.api.bringUp((await scene.api.addLane(name, opts)).id, "ensure", opts),
  );
}

/** Brings `lanes` up from nothing (no container; network, volume and worktree are there), in passes A B B A … */
export async function measureFleet(
  scene: Scene,
  lanes: readonly ApiLane[],
  opts: Signalled & { readonly passes: number },
): Promise<FleetResult> {
  const concurrency = os.availableParallelism();
  const errors: string[] = [];
  let sharedPorts = 0;
  const pass = async (atOnce: number): Promise<number> => {
    await eachOf(lanes, concurrency, (lane) => takeDown(scene, lane.id, opts));
    const up: ApiLane[] = [];
    const ms = await timed(() =>
      eachOf(lanes, atOnce, async (lane) => {
        try {
          up.push(await scene.api.bringUp(lane.id, "start", opts));
        } catch (error) {
          opts.signal.throwIfAborted();
          errors.push(String(error));
        }
      }),
    );
    sharedPorts += up.length - new Set(up.map((lane) => lane.endpoint)).size;
    return ms;
  };
  const [oneByOneMs, togetherMs]: [number[], number[]] = [[], []];
  for (let n = 0; n < opts.passes; n++) {
    const order = n % 2 === 0 ? [1, concurrency] : [concurrency, 1];
    for (const atOnce of order) (atOnce === 1 ? oneByOneMs : togetherMs).push(await pass(atOnce));
  }
  return { lanes: lanes.length, concurrency, oneByOneMs, togetherMs, errors, sharedPorts };
}

async function takeDown({ api, libpod }: Scene, laneId: string, opts: Signalled): Promise<void> {
  const { container } = await api.stop(laneId, opts);
  if (container !== null) await libpod.remove(container, opts);
  await untilState(api, laneId, "absent", opts);
}

/** `fn` on each item, `atOnce` of them at a time, in order. */
async function eachOf<T, R>(items: readonly T[], atOnce: number, fn: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const run = async () => {
    for (;;) {
      const at = next++;
      if (at >= items.length) return;
      results[at] = await fn(items[at] as T);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return results;
}
