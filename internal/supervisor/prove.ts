import { AppError, abortReason, hasCode, throwIfAborted, withDeadline } from "../base/index.ts";
import type { Workshop } from "./deps.ts";
import type { LaneCell } from "./lane-cell.ts";
import type { CallOptions, LaneLink, WorkerTarget } from "./ports.ts";

/** A worker that does not answer is looked after this often; usual starts are over by then. */
const CHECK_ALIVE_MS = 300;

/** Each pause is so much longer than the one before: so at most a fourteenth of the wait is lost. */
const PROBE_GROWTH = 1.07;

/** What {@link proveWorker} waits with. */
export interface ProofOptions extends CallOptions {
  readonly withinMs: number;
  /** Throws when the worker cannot come any more; asked now and then while it does not answer. */
  readonly checkAlive?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

/**
 * Waits until the worker behind `target` proves itself over a link. Tries every few milliseconds at first,
 * as a worker that starts is ready within tens of them, then backs off.
 * @throws worker.probe_timeout after `withinMs`; worker.impostor when something else answers on the port to the end
 */
export async function proveWorker<L extends LaneLink>(
  shop: Workshop<L>,
  target: WorkerTarget,
  opts: ProofOptions,
): Promise<L> {
  const seen: { last: string; impostor: string | null } = { last: "nothing answered", impostor: null };
  const makeError = () => proofError(target, opts.withinMs, seen.last, seen.impostor);
  const { first, longest } = shop.limits.probeEveryMs;
  let checkedMs = shop.clock.monotonicMs();
  const { clock } = shop;
  return withDeadline({ ms: opts.withinMs, signal: opts.signal, makeError, clock }, async (signal) => {
    for (let pauseMs = first; ; pauseMs = Math.min(pauseMs * PROBE_GROWTH, longest)) {
      const opened = await tryOpen(shop, target, signal);
      if (opened.kind === "open") return opened.link;
      seen.last = opened.error.message;
      if (shop.clock.monotonicMs() - checkedMs > CHECK_ALIVE_MS) {
        // A link proves all there is to prove: only one that does not come is asked for the reason.
        const probe = await shop.links.probe(target, { signal });
        throwIfAborted(signal);
        seen.impostor = probe.kind === "impostor" ? probe.reason : null;
        await opts.checkAlive?.(signal);
        checkedMs = shop.clock.monotonicMs();
      }
      await shop.clock.sleep(pauseMs, { signal });
    }
  });
}

/** A link that breaks while it is being opened is only another try. */
async function tryOpen<L extends LaneLink>(
  shop: Workshop<L>,
  target: WorkerTarget,
  signal: AbortSignal,
): Promise<{ readonly kind: "open"; readonly link: L } | { readonly kind: "not_yet"; readonly error: AppError }> {
  try {
    return { kind: "open", link: await shop.links.open(target, { signal }) };
  } catch (error) {
    if (signal.aborted) throw abortReason(signal);
    if (hasCode(error, "worker.unreachable", "worker.protocol", "worker.impostor", "timeout")) {
      return { kind: "not_yet", error };
    }
    throw error;
  }
}

function proofError(target: WorkerTarget, withinMs: number, last: string, impostor: string | null): AppError {
  const seconds = Math.round(withinMs / 1000);
  if (impostor !== null) {
    return new AppError({
      code: "worker.impostor",
      message: `lane ${target.laneId}: what answers on ${target.endpoint} is not its worker (${impostor})`,
      hint: "see what listens there; the lane is made anew with another port",
      retry: "retryable",
    });
  }
  return new AppError({
    code: "worker.probe_timeout",
    message: `lane ${target.laneId}: its worker did not prove itself on ${target.endpoint} within ${seconds} s (${last})`,
    hint: "see the container's own output: lane logs --container",
    retry: "retryable",
  });
}

/**
 * Makes `link` the cell's link: jobs go over it, and its end wakes the lane's loop at once.
 * @throws what the dispatcher throws that cannot take it over; the cell has no link then
 */
export function adoptLink<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>, link: L): void {
  if (cell.link && cell.link !== link) cell.link.close("replaced by a newer link");
  cell.link = link;
  cell.lastAnswerMs = shop.clock.monotonicMs();
  cell.missedPings = 0;
  void link.closed.then((reason) => {
    if (cell.link !== link) return;
    shop.log.debug({ lane: cell.lane.id, reason }, "link closed");
    cell.link = null;
    shop.desk.detachLink(cell.lane.id);
    shop.wake(cell.lane.id);
  });
  try {
    shop.desk.attachLink(link);
  } catch (error) {
    // A link that carries no jobs is none: it is opened anew.
    cell.link = null;
    link.close("the dispatcher could not take it over");
    throw error;
  }
}

/** Drops the cell's link without waking the loop: the caller is the loop. */
export function dropLink<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>, reason: string): void {
  const link = cell.link;
  if (!link) return;
  cell.link = null;
  shop.desk.detachLink(cell.lane.id);
  link.close(reason);
}
