import { AppError, toError } from "../base/index.ts";
import type { LaneCause, ObservedContainer } from "../lane/index.ts";
import { decideRestart } from "../reconcile/index.ts";
import { applyEvent } from "./apply-event.ts";
import type { Workshop } from "./deps.ts";
import type { LaneCell } from "./lane-cell.ts";
import type { CallOptions, EngineConnection, LaneLink } from "./ports.ts";

/** The secret of a running container is not known: it can never be proven again. */
export function secretLostError(laneId: string): AppError {
  return new AppError({
    code: "worker.refused",
    message: `lane ${laneId}: the secret of its running worker is gone from the state folder`,
    hint: "nothing to do: the lane is made anew",
    retry: "retryable",
  });
}

/** The worker does not answer on an open link. */
export function silentError(laneName: string): AppError {
  return new AppError({
    code: "worker.unreachable",
    message: `lane ${laneName}: its worker does not answer`,
    hint: "it is asked again; after a minute of silence the lane is made anew",
    retry: "retryable",
  });
}

/** The container ended, or was removed, before its worker proved itself. */
export function endedError(laneName: string, seen: ObservedContainer | null): AppError {
  const how = seen ? `ended with exit code ${seen.exitCode ?? "unknown"}` : "was removed";
  return new AppError({
    code: "lane.not_ready",
    message: `lane ${laneName}: its container ${how} before the worker was ready`,
    hint: `see its output: lane logs ${laneName} --container`,
    retry: "retryable",
  });
}

/** Causes that trying again cannot mend: the lane is `failed` at once, with the remedy. */
const TERMINAL = new Set([
  "engine.image_missing",
  "engine.bad_mount",
  "config.invalid",
  "credentials.refused",
  "lane.worktree_missing",
  "lane.foreign_container",
  "usage.invalid",
]);

/** Is this a cause that trying again cannot mend? */
export function isTerminalCause(code: string): boolean {
  return TERMINAL.has(code);
}

/** How many lines of a container's own output are kept of a failure. */
const TAIL_LINES = 40;

/** The last lines of a container's own output; none when they cannot be read: they must not keep it from its end. */
export async function readTail<L extends LaneLink>(
  shop: Workshop<L>,
  engine: EngineConnection,
  containerId: string,
  { signal }: CallOptions,
): Promise<readonly string[]> {
  try {
    return await engine.runtime.containerLogs(containerId, { signal, lines: TAIL_LINES });
  } catch (error) {
    if (signal?.aborted) throw toError(error);
    shop.log.warn({ err: error, containerId: containerId.slice(0, 12) }, "container output not read");
    return [];
  }
}

/**
 * Records a failed start or a death, and decides on the next try: backoff, or the sticky `failed`. For a lane that is
 * not wanted up any more there is no next try.
 */
export function recordFailure<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  failure: { readonly cause: LaneCause; readonly terminal: boolean; readonly logTail: readonly string[] },
): void {
  if (cell.lane.desired !== "up") return;
  const nowMs = shop.clock.nowMs();
  const { cause, logTail } = failure;
  const verdict = decideRestart(shop.limits.restart, {
    kind: failure.terminal ? "terminal" : cause.code === "engine.port_in_use" ? "at_once" : "ordinary",
    failuresAtMs: cell.memory.failuresAtMs,
    nowMs,
    unit: shop.random.unit(),
  });
  const failures = verdict.failuresAtMs.length;
  if (verdict.kind === "give_up") {
    cell.memory = { failuresAtMs: verdict.failuresAtMs, failed: { cause, logTail, atMs: nowMs } };
    shop.store.saveMemory(cell.lane.id, cell.memory);
    applyEvent(shop, cell, { type: "give_up", failures, cause, logTail, atMs: nowMs });
    return;
  }
  cell.memory = { failuresAtMs: verdict.failuresAtMs, failed: null };
  shop.store.saveMemory(cell.lane.id, cell.memory);
  applyEvent(shop, cell, { type: "retry_later", failures, untilMs: nowMs + verdict.delayMs, cause, atMs: nowMs });
}

/** Forgets all failures: after long readiness, on a new configuration, or by a person's request. */
export function forgetFailures<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>): void {
  if (cell.memory.failuresAtMs.length === 0 && cell.memory.failed === null) return;
  cell.memory = { failuresAtMs: [], failed: null };
  shop.store.saveMemory(cell.lane.id, cell.memory);
}
