import type { StatusService } from "../hostapi/index.ts";
import type { Core } from "./core.ts";

/** Facts of this process. */
export interface DaemonFacts {
  readonly version: string;
  readonly build: string;
  readonly startedAtMs: number;
  readonly socket: string;
  readonly imageReference: string;
  /** The page's address, once it is served. */
  readonly api: () => string | null;
  /** Begins the shutdown. */
  readonly shutdown: () => void;
}

/** The daemon as the host API shows it. */
export function createStatusService(core: Core, facts: DaemonFacts): StatusService {
  const { supervisor, dispatcher, store } = core;
  return {
    status: async (opts) => {
      const { engine } = supervisor;
      const up = engine.kind === "up" ? engine.connection : null;
      const image = up ? await up.runtime.findImage(facts.imageReference, opts).catch(() => null) : null;
      return {
        version: facts.version,
        build: facts.build,
        install: core.install,
        pid: process.pid,
        startedAt: new Date(facts.startedAtMs).toISOString(),
        api: facts.api(),
        socket: facts.socket,
        engine: {
          ok: up !== null,
          version: up?.facts.version ?? null,
          address: up?.facts.address ?? null,
          own: up?.own ?? false,
          error: engine.kind === "down" ? engine.cause : null,
        },
        image: { reference: facts.imageReference, id: image?.id ?? null },
        lanes: countBy(supervisor.list(), (view) => view.state.phase),
        jobs: store.jobs.countByPhase(),
        stuckJobs: dispatcher.countStuck(),
      };
    },
    readiness: () => ({ store: true, engine: supervisor.engine.kind === "up" }),
    shutdown: facts.shutdown,
  };
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}
