import type { Workshop } from "./deps.ts";
import { forgetFailures } from "./failure.ts";
import type { LaneCell } from "./lane-cell.ts";
import type { LaneLink } from "./ports.ts";

/** Asks one lane's worker for a sign of life over its link, and keeps the count of misses. True when it answered. */
export async function askWorker<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const link = cell.link;
  if (!link) return false;
  const timeout = AbortSignal.timeout(shop.limits.ping.timeoutMs);
  try {
    await link.ping({ signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  } catch {
    if (!signal?.aborted && cell.link === link) cell.missedPings++;
    return false;
  }
  cell.lastAnswerMs = shop.clock.monotonicMs();
  cell.missedPings = 0;
  return true;
}

/** One round of the monitor: wakes the loop when the answer makes a difference. */
async function pingLane<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>, signal: AbortSignal): Promise<void> {
  const answered = await askWorker(shop, cell, signal);
  if (signal.aborted) return;
  const { phase } = cell.state;
  if (answered ? phase === "unready" : phase === "ready" && cell.missedPings >= shop.limits.ping.misses)
    shop.wake(cell.lane.id);
  const readyForMs = cell.state.phase === "ready" ? shop.clock.nowMs() - cell.state.atMs : 0;
  if (readyForMs >= shop.limits.restart.forgetAfterReadyMs) forgetFailures(shop, cell);
}

/** Pings every lane in turn, spread over the interval so that many lanes make no burst. Until `signal` aborts. */
export async function runMonitor<L extends LaneLink>(
  shop: Workshop<L>,
  cells: ReadonlyMap<string, LaneCell<L>>,
  spawn: (name: string, fn: () => Promise<void>) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const linked = [...cells.values()].filter((cell) => cell.link !== null);
    const gapMs = shop.limits.ping.everyMs / Math.max(1, linked.length);
    for (const cell of linked) {
      spawn(`ping ${cell.lane.id}`, () => pingLane(shop, cell, signal));
      await shop.clock.sleep(gapMs, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
    if (linked.length === 0) await shop.clock.sleep(gapMs, { signal }).catch(() => undefined);
  }
}
