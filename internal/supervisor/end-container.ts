import { AppError, hasCode } from "../base/index.ts";
import type { LaneCause } from "../lane/index.ts";
import { applyEvent } from "./apply-event.ts";
import type { LaneCell, PidRecord } from "./lane-cell.ts";
import type { CallOptions, LaneLink } from "./ports.ts";
import { dropLink } from "./prove.ts";
import type { StepContext } from "./step-context.ts";

/** How long a process may take to go after its container was removed or stopped. */
const DEATH_WAIT_MS = 5000;

/**
 * Ends a container and proves its death. With `keep` the container stays, stopped; when it cannot be proven dead that
 * way it is removed. Only after the proof is the dispatcher told, so that no attempt is ever run twice.
 */
export async function endContainer<L extends LaneLink>(
  ctx: StepContext<L>,
  end: { readonly containerId: string; readonly cause: LaneCause; readonly keep: boolean },
): Promise<void> {
  const { shop, cell } = ctx;
  const generation = cell.container?.labels?.generation ?? cell.lane.generation;
  if (cell.request && end.cause === cell.request.cause) cell.request = null;
  const isGoingOn = cell.state.phase === "stopping" && cell.state.containerId === end.containerId;
  if (!isGoingOn) {
    const { containerId, cause } = end;
    applyEvent(shop, cell, { type: "stop", generation, containerId, cause, atMs: shop.clock.nowMs() });
  }
  const kept = end.keep && (await stopAndProve(ctx, end.containerId));
  if (!kept) {
    await removeAndProve(ctx, end.containerId);
    cell.main = null;
  }
  dropLink(shop, cell, end.cause.message);
  shop.desk.onLaneDead({ laneId: cell.lane.id, generation, volumeIntact: true });
  const atMs = shop.clock.nowMs();
  applyEvent(
    shop,
    cell,
    kept
      ? { type: "stopped", generation, containerId: end.containerId, atMs }
      : { type: "gone", cause: end.cause, atMs },
  );
}

async function stopAndProve<L extends LaneLink>(ctx: StepContext<L>, containerId: string): Promise<boolean> {
  const { shop, engine, cell } = ctx;
  try {
    await shop.mutations.run(ctx, () =>
      engine.runtime.stopContainer(containerId, { signal: ctx.signal, graceMs: shop.limits.stopGraceMs }),
    );
  } catch (error) {
    // A paused container, or one without its monitor, cannot be stopped; removing it works in each case (P11, P12).
    if (!hasCode(error, "engine.request_failed", "engine.conflict", "timeout")) throw error;
    return false;
  }
  const seen = await engine.runtime.inspectContainer(containerId, ctx);
  const stopped = seen?.status === "exited" || seen?.status === "stopped" || seen?.status === "created";
  return stopped && (await waitGone(ctx, cell.main, 1000));
}

async function removeAndProve<L extends LaneLink>(ctx: StepContext<L>, containerId: string): Promise<void> {
  const { shop, engine, cell } = ctx;
  await shop.mutations.run(ctx, () => engine.runtime.removeContainer(containerId, ctx));
  const still = await engine.runtime.inspectContainer(containerId, ctx);
  // The main process is the first of its pid namespace: with it the kernel ends every other process of the lane.
  if (still === null && (await waitGone(ctx, mainOf(cell, containerId), DEATH_WAIT_MS))) return;
  throw new AppError({
    code: "engine.request_failed",
    message: `lane ${cell.lane.name}: its container ${containerId.slice(0, 12)} cannot be removed (${still?.status ?? "its process lives on"})`,
    hint: `look at it: podman inspect ${containerId.slice(0, 12)}; it is tried again`,
    retry: "retryable",
  });
}

function mainOf<L extends LaneLink>(cell: LaneCell<L>, containerId: string): PidRecord | null {
  return cell.main?.containerId === containerId ? cell.main : null;
}

async function waitGone<L extends LaneLink>(
  ctx: StepContext<L>,
  main: PidRecord | null,
  withinMs: number,
): Promise<boolean> {
  const { shop } = ctx;
  const opts: CallOptions = { signal: ctx.signal };
  for (let waited = 0; ; waited += 20) {
    if (main === null || shop.host.startTime(main.pid) !== main.startTime) return true;
    if (waited >= withinMs) return false;
    await shop.clock.sleep(20, { signal: opts.signal });
  }
}
