import { AppError, hasCode, toAppError } from "../base/index.ts";
import { containerOf, type LaneCause, toCause } from "../lane/index.ts";
import { isFailure, type Observed, type Plan, planLane } from "../reconcile/index.ts";
import { applyEvent } from "./apply-event.ts";
import type { Workshop } from "./deps.ts";
import { endContainer } from "./end-container.ts";
import type { EngineState } from "./engine-session.ts";
import { execStep } from "./execute-step.ts";
import { isTerminalCause, readTail, recordFailure } from "./failure.ts";
import type { LaneCell } from "./lane-cell.ts";
import { look } from "./observe.ts";
import type { LaneLink } from "./ports.ts";
import { dropLink } from "./prove.ts";
import type { StepContext } from "./step-context.ts";

/** How one run over a lane ended. */
export type LoopOutcome =
  | { readonly kind: "settled" }
  | { readonly kind: "requeue"; readonly afterMs: number }
  /** The lane is gone for good. */
  | { readonly kind: "disposed" };

/** One run over a lane: observe, plan, execute. Throws only when the signal aborts or a defect shows. */
export async function reconcileLane<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  engine: EngineState,
  signal: AbortSignal,
): Promise<LoopOutcome> {
  // The engine's first answer wakes every lane.
  if (engine.kind === "searching") return { kind: "settled" };
  if (engine.kind === "down") return engineDown(shop, cell, engine.cause);
  if (cell.state.phase === "unknown") applyEvent(shop, cell, { type: "engine_back", atMs: shop.clock.nowMs() });
  noticeSilence(shop, cell);
  cell.interrupt = new AbortController();
  try {
    const { wanted, seen } = await look(shop, cell, engine.connection, signal);
    forgetVanished(shop, cell, seen);
    const plan = planLane(wanted, seen, cell.state, shop.clock.nowMs(), shop.limits.plan);
    return await execPlan({ shop, cell, engine: engine.connection, signal }, plan);
  } catch (caught) {
    if (signal.aborted) throw caught;
    return afterError({ shop, cell, engine: engine.connection, signal }, toAppError(caught));
  }
}

async function execPlan<L extends LaneLink>(ctx: StepContext<L>, plan: Plan): Promise<LoopOutcome> {
  for (const step of plan.steps) await execStep(ctx, step);
  if (plan.steps.some((step) => step.op === "dispose")) return { kind: "disposed" };
  const { state } = ctx.cell;
  if (state.phase === "backoff" && ctx.cell.lane.desired === "up")
    return { kind: "requeue", afterMs: Math.max(0, state.untilMs - ctx.shop.clock.nowMs()) };
  // What was just started is looked at once more, for its pids: without them its death could not be proven later.
  const isUnseen = state.phase === "ready" && ctx.cell.main?.containerId !== state.containerId;
  if (plan.requeueMs === null && isUnseen) return { kind: "requeue", afterMs: 0 };
  return plan.requeueMs === null ? { kind: "settled" } : { kind: "requeue", afterMs: plan.requeueMs };
}

function engineDown<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>, cause: LaneCause): LoopOutcome {
  if (cell.state.phase !== "unknown" && cell.state.phase !== "failed") {
    applyEvent(shop, cell, { type: "engine_lost", cause, atMs: shop.clock.nowMs() });
  }
  return { kind: "settled" };
}

/** A lane without a link is not ready, whatever the engine says: nothing dead is ever called running. */
function noticeSilence<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>): void {
  if (cell.state.phase !== "ready") return;
  const missed = cell.missedPings >= shop.limits.ping.misses;
  if (cell.link !== null && !missed) return;
  const cause: LaneCause = missed
    ? { code: "probe_lost", message: `the worker did not answer ${cell.missedPings} times in a row` }
    : { code: "link_lost", message: "the connection to the worker broke" };
  applyEvent(shop, cell, { type: "silent", cause, atMs: shop.clock.nowMs() });
}

/** Someone removed the container: absent is proof of death once its process is gone too. */
function forgetVanished<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>, seen: Observed): void {
  if (cell.state.phase === "creating" && seen.container === null) {
    const cause = { code: "create_lost", message: "the create call was cut off and left nothing" };
    applyEvent(shop, cell, { type: "gone", cause, atMs: shop.clock.nowMs() });
    return;
  }
  // While the engine was away no state speaks of the container; its process is on record all the same.
  const known = containerOf(cell.state) ?? cell.main?.containerId ?? null;
  if (known === null || seen.container?.inspect.id === known) return;
  const alive = cell.main?.containerId === known && shop.host.startTime(cell.main.pid) === cell.main.startTime;
  if (alive) {
    throw new AppError({
      code: "engine.request_failed",
      message: `lane ${cell.lane.name}: its container is unknown to the engine, but its process ${cell.main?.pid} lives`,
      hint: "it is looked at again; if this stays, end that process",
      retry: "retryable",
    });
  }
  const generation = "generation" in cell.state ? cell.state.generation : cell.lane.generation;
  dropLink(shop, cell, "the container is gone");
  shop.desk.onLaneDead({ laneId: cell.lane.id, generation, volumeIntact: true });
  cell.resourcesReady = false;
  if (cell.main?.containerId === known) cell.main = null;
  if (containerOf(cell.state) === null) return;
  // The removal that was begun may have done its work although the call failed.
  const ended = cell.state.phase === "stopping" ? cell.state.cause : null;
  const cause = ended ?? { code: "container_gone", message: "the container was removed from outside" };
  applyEvent(shop, cell, { type: "gone", cause, atMs: shop.clock.nowMs() });
  if (ended && isFailure(ended))
    recordFailure(shop, cell, { cause: ended, terminal: isTerminalCause(ended.code), logTail: [] });
}

/**
 * A step failed. The engine not answering is no failure of the lane. A failed start is cleaned away and counted;
 * everything else is looked at again soon.
 */
async function afterError<L extends LaneLink>(ctx: StepContext<L>, error: AppError): Promise<LoopOutcome> {
  const { shop, cell, engine, signal } = ctx;
  if (hasCode(error, "engine.unavailable", "engine.refused")) return { kind: "requeue", afterMs: 200 };
  if (cell.interrupt.signal.aborted && hasCode(error, "cancelled")) return { kind: "requeue", afterMs: 0 };
  if (error.code.startsWith("internal.") || error.code.startsWith("store.")) throw error;
  const { phase } = cell.state;
  // While a start waits for proof, only its own deadline or its end makes it a failure; a silent link does not.
  const starting =
    (phase === "creating" || phase === "starting" || phase === "probing") && error.code !== "worker.unreachable";
  if (!starting) {
    shop.log.warn({ lane: cell.lane.id, err: error, phase }, "lane step failed");
    return { kind: "requeue", afterMs: phase === "unready" ? shop.limits.plan.reproveMs : 1000 };
  }
  const containerId = containerOf(cell.state);
  const logTail = containerId === null ? [] : await readTail(shop, engine, containerId, { signal });
  shop.log.warn({ lane: cell.lane.id, err: error, phase, logTail }, "lane start failed");
  // The network or the volume may be what was missing.
  cell.resourcesReady = false;
  if (containerId !== null) await endContainer(ctx, { containerId, cause: toCause(error), keep: false });
  recordFailure(shop, cell, { cause: toCause(error), terminal: isTerminalCause(error.code), logTail });
  const { state } = cell;
  return state.phase === "backoff"
    ? { kind: "requeue", afterMs: Math.max(0, state.untilMs - shop.clock.nowMs()) }
    : { kind: "settled" };
}
