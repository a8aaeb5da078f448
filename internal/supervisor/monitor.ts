import { withDeadline } from "../base/index.ts";
import type { Workshop } from "./deps.ts";
import { forgetFailures, silentError } from "./failure.ts";
import type { LaneCell } from "./lane-cell.ts";
import type { LaneLink } from "./ports.ts";
import { retrySupply } from "./supply-credentials.ts";

/** Asks one lane's worker for a sign of life over its link, and keeps the count of misses. True when it answered. */
export async function askWorker<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const link = cell.link;
  if (!link) return false;
  const { clock, limits } = shop;
  try {
    const makeError = () => silentError(cell.lane.name);
    const askFor = { ms: limits.ping.timeoutMs, signal, makeError, clock };
    await withDeadline(askFor, (within) => link.ping({ signal: within }));
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
  const isMissed = cell.missedPings >= shop.limits.ping.misses && (phase === "ready" || phase === "draining");
  if (answered ? phase === "unready" : isMissed) shop.wake(cell.lane.id);
  if (answered) await retrySupply(shop, cell, signal);
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
