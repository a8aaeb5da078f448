import type { MetricsSource } from "../hostapi/index.ts";
import type { Core } from "./core.ts";

/** What metrics are read from at each scrape. */
export function createMetricsSource({ supervisor, store }: Core): MetricsSource {
  return {
    lanes: () =>
      supervisor
        .list()
        .map(({ state, drift }) => ({ state: state.phase, driftedParts: drift.map(({ part }) => part) })),
    jobsByState: () => store.jobs.countByPhase(),
    findJob: (id) => store.jobs.find(id),
    oldestOpenItemAtMs: () => store.items.oldestOpenAtMs(),
  };
}
