import type { Logger } from "pino";
import type { Clock, Random, Semaphore } from "../base/index.ts";
import type { AgentSpec, Lane } from "../lane/index.ts";
import type { InstallFacts, PlanLimits, RestartPolicy } from "../reconcile/index.ts";
import type {
  BootFolders,
  CallOptions,
  Credentials,
  EngineFinder,
  HostView,
  ImageMaker,
  JobDesk,
  LaneLink,
  LaneStore,
  WorkerLinks,
} from "./ports.ts";

/** Everything the supervisor works with. Made once, by the composition root. */
export interface SupervisorDeps<L extends LaneLink> {
  readonly install: InstallFacts;
  /** Agents in use, mounted in every lane: the same array until they change. Left out: none. */
  readonly agents?: (() => readonly AgentSpec[]) | undefined;
  /** The lane with the settings in force: its own over its workspace's and its repository's. The same object until they change. */
  readonly effectiveOf?: ((lane: Lane, opts: CallOptions) => Promise<Lane>) | undefined;
  /** Folder of the objects of a lane's repository; null when that is gone. Asked often. Left out: lanes have no git. */
  readonly objectsOf?: ((lane: Lane) => Promise<string | null>) | undefined;
  /** Left out: lanes have no packages beyond their image's. */
  readonly images?: ImageMaker | undefined;
  /** Reference of the runtime image for lanes that name none. */
  readonly defaultImage: string;
  readonly engine: EngineFinder;
  readonly links: WorkerLinks<L>;
  /** Left out: lanes get none. */
  readonly credentials?: Credentials<L> | undefined;
  readonly store: LaneStore;
  readonly boot: BootFolders;
  readonly host: HostView;
  readonly desk: JobDesk<L>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly limits: SupervisorLimits;
}

/** Tuning numbers; defaults in {@link DEFAULT_LIMITS}. */
export interface SupervisorLimits {
  /** Mutations of the engine at once: the number of cores, at most 4 (more only makes each wait). */
  readonly concurrency: number;
  /** From start to the worker's proof. */
  readonly startupMs: number;
  /** First and longest pause between two probes of a starting worker. */
  readonly probeEveryMs: { readonly first: number; readonly longest: number };
  /** How often a ready worker is asked, how long it may take, and how many misses make it unready. */
  readonly ping: { readonly everyMs: number; readonly timeoutMs: number; readonly misses: number };
  /** TERM to KILL. */
  readonly stopGraceMs: number;
  readonly relistMs: number;
  /** How long a container of no known lane is left alone. */
  readonly orphanGraceMs: number;
  readonly restart: RestartPolicy;
  readonly plan: PlanLimits;
}

/** Numbers of guarantees section 2 and of the performance page. */
export const DEFAULT_LIMITS: Omit<SupervisorLimits, "concurrency" | "restart" | "plan"> = {
  startupMs: 120_000,
  probeEveryMs: { first: 3, longest: 250 },
  ping: { everyMs: 4000, timeoutMs: 2000, misses: 3 },
  stopGraceMs: 10_000,
  relistMs: 5000,
  orphanGraceMs: 60_000,
};

/** Deps plus what the supervisor itself makes of them. */
export interface Workshop<L extends LaneLink> extends SupervisorDeps<L> {
  /** Bounds engine mutations over all lanes. */
  readonly mutations: Semaphore;
  /** Wakes a lane's loop. */
  readonly wake: (laneId: string) => void;
}
