import type { DoctorReport } from "../doctor/index.ts";
import type { StatusService } from "../hostapi/index.ts";
import type { ApiDoctor } from "../protocol/index.ts";
import type { Core } from "./core.ts";

/** The machine's findings, without mending anything. */
export type DaemonDoctor = (opts: { readonly signal?: AbortSignal | undefined }) => Promise<DoctorReport>;

/** Facts of this process. */
export interface DaemonFacts {
  readonly version: string;
  readonly build: string;
  readonly startedAtMs: number;
  readonly socket: string;
  readonly imageReference: string;
  /** The page's address, once it is served. */
  readonly api: () => string | null;
  /** Looks at this machine as `lane doctor` does. */
  readonly doctor: DaemonDoctor;
  /** Begins the shutdown. */
  readonly shutdown: () => void;
}

/** The daemon as the host API shows it. */
export function createStatusService(core: Core, facts: DaemonFacts): StatusService {
  const { supervisor, dispatcher, store } = core;
  let looking: Promise<ApiDoctor> | null = null;
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
        feedSeq: store.feed.latest(),
      };
    },
    readiness: () => ({ store: true, engine: supervisor.engine.kind === "up" }),
    address: facts.api,
    doctor: () => {
      // A look starts programs and containers: pages that ask at once share it, and none of them ends it for the others.
      looking ??= facts
        .doctor({})
        .then(toApiDoctor)
        .finally(() => {
          looking = null;
        });
      return looking;
    },
    shutdown: facts.shutdown,
  };
}

function toApiDoctor({ ok, checks }: DoctorReport): ApiDoctor {
  return { ok, checks: checks.map(({ id, title, level, detail, fix }) => ({ id, title, level, detail, fix })) };
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}
