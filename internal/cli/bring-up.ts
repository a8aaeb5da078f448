import type { ApiLane } from "../protocol/index.ts";
import type { LaneAct, LaneRef } from "./api.ts";
import type { Ctx } from "./context.ts";
import { requireReady } from "./outcome.ts";

/** How often the state is looked at while a person waits. */
const LOOK_MS = 300;

/**
 * Lets the daemon carry out an act that ends in a ready lane, showing the states it goes through. With `waitMs` 0 the
 * state it has then is fine. @throws the lane's own failure, or timeout, when it is not ready in time
 */
export async function bringUp(
  ctx: Ctx,
  lane: LaneRef,
  act: LaneAct,
  waitMs: number,
  opts: { readonly now?: boolean | undefined } = {},
): Promise<ApiLane> {
  const api = await ctx.api();
  const after = await withStates(ctx, lane, () => api.actOnLane(lane, act, { waitMs, now: opts.now }));
  if (waitMs > 0) await requireReady(after, waitMs);
  return after;
}

/** Runs `work` while the progress line follows the lane's state. */
export async function withStates<T>(ctx: Ctx, lane: LaneRef, work: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  const watching = watchStates(ctx, lane, AbortSignal.any([done.signal, ctx.signal]));
  try {
    return await work();
  } finally {
    done.abort();
    await watching;
    await ctx.progress.clear();
  }
}

/** Follows the state until the signal aborts. Looking is a courtesy: that it fails is no reason to stop the work. */
async function watchStates(ctx: Ctx, lane: LaneRef, signal: AbortSignal): Promise<void> {
  const api = await ctx.api();
  try {
    for (;;) {
      await ctx.clock.sleep(LOOK_MS, { signal });
      const { name, state, cause } = await api.showLane(lane, { signal });
      ctx.progress.update(`lane ${name}: ${state}${cause === null ? "" : ` (${cause.message})`}`);
    }
  } catch {
    // Aborted, or the daemon is busy.
  }
}

/** One line for a lane that came up, or is on its way. */
export function renderReadyLane(lane: ApiLane): string {
  const where = lane.endpoint === null ? "" : ` at ${lane.endpoint}`;
  return `lane ${lane.name} is ${lane.state} (generation ${lane.generation})${where}`;
}
