import { hasCode } from "../base/index.ts";
import { type ContainerSummary, type LaneCause, resourceNames } from "../lane/index.ts";
import type { Workshop } from "./deps.ts";
import { Janitor, type JanitorReport } from "./janitor.ts";
import type { LaneCell } from "./lane-cell.ts";
import { observeWanted, recordOf } from "./observe.ts";
import { findImagesOnce, type ImageFinder } from "./observe-image.ts";
import type { CallOptions, EngineConnection, LaneLink } from "./ports.ts";

/** Causes of failure that are gone once a spec can be built. */
const REMEDIED: ReadonlySet<string> = new Set([
  "engine.image_missing",
  "engine.image_failed",
  "lane.worktree_missing",
  "config.invalid",
]);

/** How often the janitor sweeps when nothing strays. */
const JANITOR_EVERY_MS = 3_600_000;

/** So long after the engine came (back) it sweeps with each relist: what was cut off then shows only bit by bit. */
const JANITOR_ALERT_MS = 60_000;

/** What comes of the engine's relists: lanes are woken, leftovers swept. */
export interface RelistFollower {
  /** The engine came, or came back. */
  onEngineUp(): void;
  /** The truth: wakes each lane of which something has changed, then sweeps when it is time. */
  onRelist(containers: readonly ContainerSummary[], connection: EngineConnection): Promise<void>;
  /** One pass of the janitor, now. */
  sweep(connection: EngineConnection, opts: CallOptions & { readonly graceMs: number }): Promise<JanitorReport>;
}

/** Follows relists for `cells`; `reset` gives a lane that has failed another chance. */
export function createRelistFollower<L extends LaneLink>(
  shop: Workshop<L>,
  cells: ReadonlyMap<string, LaneCell<L>>,
  act: { readonly reset: (cell: LaneCell<L>, cause: LaneCause) => void; readonly signal: AbortSignal },
): RelistFollower {
  const { clock, log } = shop;
  const { install } = shop.install;
  const { signal } = act;
  const strays = new Map<string, number>();
  let relisted: readonly ContainerSummary[] = [];
  let lastSweepMs: number | null = null;
  let engineSinceMs = 0;

  /** What is no reason to give up a connection that works: only its loss, or our end, is thrown. */
  function passOver(caught: unknown, message: string, facts: Readonly<Record<string, unknown>> = {}): void {
    if (signal.aborted || hasCode(caught, "engine.unavailable")) throw caught;
    log.warn({ ...facts, err: caught }, message);
  }

  async function hasChanged(cell: LaneCell<L>, connection: EngineConnection, findImage: ImageFinder): Promise<boolean> {
    try {
      return await isDriftedOrRemedied(cell, connection, findImage);
    } catch (caught) {
      passOver(caught, "drift not looked at", { lane: cell.lane.id });
      return false;
    }
  }

  /** The wanted spec is rebuilt from its sources; a moved image tag or another owner shows here. */
  async function isDriftedOrRemedied(cell: LaneCell<L>, connection: EngineConnection, findImage: ImageFinder) {
    const { phase } = cell.state;
    if (phase !== "ready" && phase !== "failed") return false;
    const { spec } = await observeWanted(shop, cell, connection, { signal, findImage });
    if (spec.kind === "error") return false;
    const record = recordOf(shop, cell, cell.lane.generation);
    const changed = record !== null && (spec.kind === "unbuilt" || record.fingerprint !== spec.fingerprint.whole);
    if (cell.state.phase !== "failed") return changed;
    const { code } = cell.state.cause;
    // What could not be built can be built now, or is another configuration: a failed lane gets another chance. No
    // configuration takes a foreign container out of the way.
    if (code === "lane.foreign_container" || (!changed && !REMEDIED.has(code))) return false;
    act.reset(cell, { code: "config_changed", message: "what it failed for has changed" });
    return true;
  }

  /** A dead monitor never reports anything: it has to be looked for. */
  const isMonitorGone = (cell: LaneCell<L>): boolean =>
    cell.state.phase === "ready" &&
    cell.monitor !== null &&
    shop.host.startTime(cell.monitor.pid) !== cell.monitor.startTime;

  async function sweepWhenDue(containers: readonly ContainerSummary[], connection: EngineConnection): Promise<void> {
    const now = clock.monotonicMs();
    const isStray = ({ labels }: ContainerSummary) => labels === null || !cells.has(labels.lane);
    // Strays ripen, so the passes that follow a sighting come with the relists until it is gone.
    const isAlert = strays.size > 0 || now - engineSinceMs < JANITOR_ALERT_MS || containers.some(isStray);
    if (!isAlert && lastSweepMs !== null && now - lastSweepMs < JANITOR_EVERY_MS) return;
    lastSweepMs = now;
    try {
      await janitor(connection, shop.limits.orphanGraceMs).sweep(containers, { signal });
      await shop.images?.sweep(connection, { signal });
    } catch (caught) {
      passOver(caught, "janitor stopped short");
    }
  }

  function janitor(connection: EngineConnection, graceMs: number): Janitor {
    const { boot, host } = shop;
    const isKnown = (laneId: string) => cells.has(laneId);
    const nowMs = () => clock.monotonicMs();
    return new Janitor({ install, runtime: connection.runtime, boot, host, log, isKnown, nowMs, graceMs }, strays);
  }

  return {
    onEngineUp: () => {
      engineSinceMs = clock.monotonicMs();
    },
    onRelist: async (containers, connection) => {
      const before = new Map(relisted.map((c) => [c.name, c]));
      relisted = containers;
      const now = new Map(containers.map((c) => [c.name, c]));
      const findImage = findImagesOnce(connection, { signal });
      for (const cell of cells.values()) {
        const name = resourceNames(install, cell.lane.id).container;
        const [was, is] = [before.get(name), now.get(name)];
        const moved = was?.id !== is?.id || was?.status !== is?.status || was?.pid !== is?.pid;
        if (moved || isMonitorGone(cell) || (await hasChanged(cell, connection, findImage))) shop.wake(cell.lane.id);
      }
      await sweepWhenDue(containers, connection);
    },
    sweep: async (connection, opts) => {
      const containers = await connection.runtime.listContainers({ ...opts, install });
      return janitor(connection, opts.graceMs).sweep(containers, opts);
    },
  };
}
