import { toAppError } from "../base/index.ts";
import { type LaneCause, toCause } from "../lane/index.ts";
import { noteAct, publish } from "./apply-event.ts";
import type { Workshop } from "./deps.ts";
import type { LaneCell } from "./lane-cell.ts";
import type { LaneLink } from "./ports.ts";

const NOTHING = { digest: null, failures: 0, dueMs: null } as const;

/** Pause before a failed delivery to a running lane is tried again: doubles up to the longest. */
const RETRY_MS = { first: 1000, longest: 60_000 };

/**
 * Credentials for a lane whose worker has just been linked, before it is called ready. A lane that is being started has
 * to take them, or its start has failed; one that was running before keeps what it has, and is tried again later.
 * @throws credentials.refused, credentials.failed, worker.unreachable: only for a start
 */
export async function supplyNewLink<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  link: L,
  signal: AbortSignal,
): Promise<void> {
  const { credentials } = shop;
  if (!credentials || cell.supply.link === link) return;
  const isStart = cell.state.phase === "probing" && !cell.adopted;
  // A start is only done with it once it has succeeded.
  cell.supply = isStart ? { ...NOTHING, link: null } : { ...NOTHING, digest: cell.supply.digest, link };
  if (!isStart) return trySupply(shop, cell, link, signal);
  confirm(shop, cell, link, await credentials.deliver(link, { signal }));
}

/** The host's credentials have changed, or cannot be used any more: each lane gets them, or is told why it does not. */
export function spreadCredentials<L extends LaneLink>(
  shop: Workshop<L>,
  cells: Iterable<LaneCell<L>>,
  act: {
    readonly spawn: (name: string, fn: () => Promise<void>) => void;
    /** Gives a lane that has failed another chance. */
    readonly reset: (cell: LaneCell<L>, cause: LaneCause) => void;
    readonly signal: AbortSignal;
  },
): void {
  const refusal = shop.credentials?.refusal() ?? null;
  for (const cell of cells) {
    const { link, state } = cell;
    if (refusal) {
      if (link) noteAct(shop, cell, "credentials:refused", toCause(refusal));
    } else if ((state.phase === "failed" || state.phase === "backoff") && isCredentialCause(state.cause)) {
      act.reset(cell, { code: "credentials_changed", message: "the credentials it failed for have changed" });
      shop.wake(cell.lane.id);
    } else if (link) {
      cell.supply.failures = 0;
      act.spawn(`credentials ${cell.lane.id}`, () => trySupply(shop, cell, link, act.signal));
    }
  }
}

/** Tries a failed delivery again when its time has come. */
export async function retrySupply<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  signal: AbortSignal,
): Promise<void> {
  const { dueMs } = cell.supply;
  if (dueMs === null || shop.clock.monotonicMs() < dueMs || !cell.link) return;
  await trySupply(shop, cell, cell.link, signal);
}

async function trySupply<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  link: L,
  signal: AbortSignal,
): Promise<void> {
  if (!shop.credentials) return;
  cell.supply.dueMs = null;
  try {
    confirm(shop, cell, link, await shop.credentials.deliver(link, { signal }));
  } catch (caught) {
    // The next link gets them anyway.
    if (signal.aborted || cell.link !== link) return;
    const error = toAppError(caught);
    const isRefused = error.code === "credentials.refused";
    const failures = ++cell.supply.failures;
    shop.log.warn({ lane: cell.lane.id, err: error, failures }, "credentials not delivered");
    if (failures === 1) noteAct(shop, cell, isRefused ? "credentials:refused" : "credentials:failed", toCause(error));
    // What is refused on the host is not asked for again: its change is told.
    if (isRefused) return;
    const pauseMs = Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** (failures - 1));
    cell.supply.dueMs = shop.clock.monotonicMs() + pauseMs;
  }
}

function confirm<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>, link: L, digest: string | null): void {
  if (cell.link !== link) return;
  const isNew = cell.supply.digest !== digest;
  cell.supply = { digest, link, failures: 0, dueMs: null };
  if (!isNew) return;
  const message = digest?.slice(0, 12) ?? "none";
  shop.log.info({ lane: cell.lane.id, digest: message }, "credentials delivered");
  noteAct(shop, cell, "credentials:delivered", { code: "credentials", message });
  publish(cell);
}

function isCredentialCause(cause: LaneCause): boolean {
  return cause.code.startsWith("credentials.");
}
