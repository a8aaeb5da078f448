import { type LaneCause, type LaneEvent, transition } from "../lane/index.ts";
import type { Workshop } from "./deps.ts";
import type { LaneCell } from "./lane-cell.ts";
import type { LaneLink } from "./ports.ts";

/** The one place where a lane's state changes: applies, records, logs and publishes it. */
export function applyEvent<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>, event: LaneEvent): void {
  const from = cell.state;
  const to = transition(from, event);
  cell.state = to;
  const cause = "cause" in event ? event.cause : null;
  const generation = "generation" in to ? to.generation : "generation" in from ? from.generation : null;
  shop.log.info(
    { lane: cell.lane.id, from: from.phase, to: to.phase, event: event.type, cause, generation },
    "lane state",
  );
  try {
    shop.store.appendHistory(cell.lane.id, {
      atMs: event.atMs,
      generation,
      event: event.type,
      from: from.phase,
      to: to.phase,
      cause: cause ? { code: cause.code, message: cause.message } : null,
    });
  } finally {
    // The state has changed even when its line in the history cannot be written.
    deskFollows(shop, cell);
    publish(cell);
  }
}

/** An act that is no change of state, for the lane's history. */
export function noteAct<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  event: string,
  { code, message }: LaneCause,
): void {
  const { phase } = cell.state;
  const generation = cell.lane.generation || null;
  const atMs = shop.clock.nowMs();
  shop.store.appendHistory(cell.lane.id, { atMs, generation, event, from: phase, to: phase, cause: { code, message } });
}

/** Tells everyone who waits that something about the lane has changed. */
export function publish<L extends LaneLink>(cell: LaneCell<L>): void {
  for (const watcher of [...cell.watchers]) watcher();
}

/** Jobs are handed out in `ready` only; in every other state what waits says for what. */
function deskFollows<L extends LaneLink>(shop: Workshop<L>, cell: LaneCell<L>): void {
  const state = cell.state;
  if (state.phase === "ready") {
    shop.desk.resume(cell.lane.id);
    return;
  }
  const why = "cause" in state ? `: ${state.cause.message}` : "";
  shop.desk.pause(cell.lane.id, `lane is ${state.phase}${why}`);
}
