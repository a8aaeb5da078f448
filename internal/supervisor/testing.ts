import { pino } from "pino";
import { FakeRuntime } from "../../test/support/fake-runtime.ts";
import { AppError, type ErrorCode } from "../base/index.ts";
import { createFakeClock, type FakeClock } from "../base/testing.ts";
import {
  type AgentSpec,
  type EngineEvent,
  type Lane,
  type LaneHistoryEntry,
  type LaneState,
  type ObservedContainer,
  resourceNames,
} from "../lane/index.ts";
import { DEFAULT_PLAN_LIMITS, DEFAULT_RESTART_POLICY } from "../reconcile/index.ts";
import { TEST_ENGINE, TEST_INSTALL, TEST_LANE } from "../reconcile/testing.ts";
import { DEFAULT_LIMITS, type SupervisorLimits } from "./deps.ts";
import type { Credentials, EngineFinder, ImageMaker, LaneRuntime } from "./ports.ts";
import { Supervisor } from "./supervisor.ts";
import { createFakeBoot, type FakeBoot } from "./testing/fake-boot.ts";
import { createFakeDesk, type FakeDesk } from "./testing/fake-desk.ts";
import { createFakeHost, type FakeHost } from "./testing/fake-host.ts";
import { createFakeWorkers, type FakeLink, type FakeWorkers } from "./testing/fake-workers.ts";
import { createLife, type Life } from "./testing/life.ts";
import { createMemoryStore, type MemoryStore } from "./testing/memory-store.ts";

export type { FakeLink, WorkerScript } from "./testing/fake-workers.ts";

/** The lane of a {@link Scene}; new, so its first container is generation 1. */
export const LANE: Lane = { ...TEST_LANE, generation: 0 };

/** What Podman holds for {@link LANE}. */
export const NAMES = resourceNames(TEST_INSTALL.install, LANE.id);

/** Reference and id of the runtime image. */
export const IMAGE = { reference: "localhost/lane-runtime:local", id: "a".repeat(64) } as const;

/** A machine with one lane on record, and a supervisor over it. */
export interface Scene {
  readonly clock: FakeClock;
  readonly runtime: FakeRuntime;
  readonly host: FakeHost;
  readonly store: MemoryStore;
  readonly boot: FakeBoot;
  readonly workers: FakeWorkers;
  readonly desk: FakeDesk<FakeLink>;
  /** The supervisor and the process it lives in, as of the last {@link Scene.begin}. */
  readonly supervisor: Supervisor<FakeLink>;
  readonly life: Life;
  /** What becomes of engine events; delivers them by default. */
  onEvent: (event: EngineEvent, deliver: (event: EngineEvent) => void) => void;
  /** Uniform in [0, 1): what the backoff draws. */
  random: () => number;
  /** Lines of the log at level error. */
  readonly errors: readonly Record<string, unknown>[];
  /** Deaths told to the dispatcher while something of that generation still lived: must stay empty. */
  readonly falseDeaths: readonly string[];
  /** Starts of a worker while another one of its lane still lived: must stay empty. */
  readonly doubles: readonly string[];
  /** Starts a process with a supervisor; `killAfter` as {@link Life.killAfter}. */
  begin(opts?: { readonly killAfter?: number }): Supervisor<FakeLink>;
  /** Begins and waits until the lane is ready. */
  up(): Promise<Supervisor<FakeLink>>;
  /** Waits until the lane is in a phase. */
  reach(phase: LaneState["phase"], withinMs?: number): Promise<void>;
  readonly state: LaneState;
  readonly lane: Lane;
  /** The lane's container. @throws when there is none */
  readonly container: ObservedContainer;
  /** The lane's history from the start, as `create created started proven`. */
  events(): string;
  history(): readonly LaneHistoryEntry[];
  /** Calls of the engine that change something, since the given mark. */
  mutations(since?: number): readonly string[];
  /** The container's main process ends; engine and worker notice by themselves. */
  die(exitCode: number): void;
}

/** Calls that only look. */
const READS = /^(facts|list|inspect|find|watch|containerLogs)/;

/** What a scene is set up with. */
export interface SceneOptions {
  readonly lane?: Partial<Lane>;
  readonly limits?: Partial<SupervisorLimits>;
  /** None, as where no folder of them is configured. */
  readonly credentials?: Credentials<FakeLink>;
  /** Agents in use. */
  readonly agents?: () => readonly AgentSpec[];
  /** Left out: no image with packages is ever made. */
  readonly images?: ImageMaker;
  /** Left out: lanes have no git. */
  readonly objectsOf?: () => Promise<string | null>;
}

/** Numbers of the product. */
export const LIMITS: SupervisorLimits = {
  ...DEFAULT_LIMITS,
  concurrency: 2,
  restart: DEFAULT_RESTART_POLICY,
  plan: DEFAULT_PLAN_LIMITS,
};

/** A {@link Scene} on which nothing has happened yet. */
export function createScene(opts: SceneOptions = {}): Scene {
  const clock = createFakeClock();
  const runtime = new FakeRuntime();
  runtime.images.set(IMAGE.reference, IMAGE.id);
  const boot = createFakeBoot();
  const host = createFakeHost(runtime);
  const store = createMemoryStore();
  store.insertLane({ ...LANE, ...opts.lane });
  const workers = createFakeWorkers({ runtime, host, boot, clock });
  const falseDeaths: string[] = [];
  const desk = createFakeDesk<FakeLink>((laneId, generation) => {
    const body = runtime.containers().find((c) => c.labels?.lane === laneId && c.labels.generation === generation);
    const alive = body !== undefined && host.startTime(body.pid) !== null;
    if (alive || host.lingering.size > 0) falseDeaths.push(`${laneId} ${generation}`);
  });
  const errors: Record<string, unknown>[] = [];
  let now: { life: Life; supervisor: Supervisor<FakeLink> } | null = null;
  const present = () => {
    if (!now) throw new Error("nothing has begun");
    return now;
  };

  function begin({ killAfter }: { readonly killAfter?: number } = {}): Supervisor<FakeLink> {
    now?.life.kill();
    const life = createLife(clock, () => {
      for (const link of workers.openLinks()) link.close("the daemon is gone");
    });
    if (killAfter !== undefined) life.killAfter(killAfter);
    const write = (line: string) => {
      if (life.isAlive) errors.push(JSON.parse(line));
    };
    const engine = life.port("runtime", hearing(runtime, scene), {
      counts: true,
      sync: false,
      after: () => workers.follow(),
    });
    const supervisor = new Supervisor<FakeLink>({
      install: TEST_INSTALL,
      defaultImage: IMAGE.reference,
      engine: finder(engine),
      links: life.port("links", workers, { counts: false, sync: false }),
      credentials: opts.credentials,
      agents: opts.agents,
      images: opts.images,
      objectsOf: opts.objectsOf,
      store: life.port("store", store, { counts: true, sync: true }),
      boot: life.port("boot", boot, { counts: true, sync: false }),
      host: life.port("host", host, { counts: false, sync: ["startTime"] }),
      desk: life.port("desk", desk, { counts: false, sync: true }),
      clock: life.clock,
      random: { unit: () => scene.random() },
      log: pino({ level: "error" }, { write }),
      limits: { ...LIMITS, ...opts.limits },
    });
    now = { life, supervisor };
    try {
      supervisor.start();
    } catch (error) {
      if (life.isAlive) throw error;
    }
    return supervisor;
  }

  const scene: Scene = {
    clock,
    runtime,
    host,
    store,
    boot,
    workers,
    desk,
    errors,
    falseDeaths,
    doubles: workers.doubles,
    onEvent: (event, deliver) => deliver(event),
    random: () => 0.5,
    get supervisor() {
      return present().supervisor;
    },
    get life() {
      return present().life;
    },
    begin,
    up: async () => {
      const supervisor = begin();
      await scene.reach("ready");
      return supervisor;
    },
    reach: (phase, withinMs = 60_000) => clock.until(() => scene.state.phase === phase, withinMs),
    get state() {
      return present().supervisor.view(LANE.id).state;
    },
    get lane() {
      return present().supervisor.view(LANE.id).lane;
    },
    get container() {
      const found = runtime.containers().find((c) => c.name === NAMES.container);
      if (!found) throw new Error("the lane has no container");
      return found;
    },
    events: () =>
      scene
        .history()
        .map((entry) => entry.event)
        .join(" "),
    history: () => store.listHistory(LANE.id, { limit: 10_000 }),
    mutations: (since = 0) =>
      runtime.calls
        .slice(since)
        .map((call) => call.method)
        .filter((method) => !READS.test(method)),
    die: (exitCode) => {
      runtime.die(NAMES.container, exitCode);
      workers.follow();
    },
  };
  return scene;
}

/** The engine, whose events go through the scene. */
function hearing(runtime: FakeRuntime, scene: Scene): LaneRuntime {
  return new Proxy<LaneRuntime>(runtime, {
    get: (_, key) => {
      if (key === "watchEvents") {
        const watch: LaneRuntime["watchEvents"] = (opts) =>
          runtime.watchEvents({ ...opts, onEvent: (event) => scene.onEvent(event, opts.onEvent) });
        return watch;
      }
      const member: unknown = Reflect.get(runtime, key, runtime);
      return typeof member === "function" ? member.bind(runtime) : member;
    },
  });
}

function finder(runtime: LaneRuntime): EngineFinder {
  return {
    connect: async (opts) => ({
      runtime,
      facts: await runtime.facts(opts),
      own: false,
      profile: async () => TEST_ENGINE,
      close: async () => undefined,
    }),
  };
}

/** An error as the engine's adapter makes it. */
export function engineError(code: ErrorCode, message = code as string): AppError {
  return new AppError({ code, message, retry: code === "engine.unavailable" ? "retryable" : "terminal" });
}

/** What is left on the machine of all lanes, as `containers 1, networks 1, volumes 1, folders 1, processes 2, links 1`. */
export async function leftovers(scene: Scene): Promise<string> {
  const { runtime, boot, workers } = scene;
  const { install } = TEST_INSTALL;
  const counts = {
    containers: runtime.containers().length,
    networks: (await runtime.listNetworks({ install })).length,
    volumes: (await runtime.listVolumes({ install })).length,
    folders: boot.folders.size,
    processes: runtime.processes.size,
    links: workers.openLinks().length,
  };
  return Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(", ");
}

/** {@link leftovers} of one lane that is up. */
export const ONE_LANE_UP = "containers 1, networks 1, volumes 1, folders 1, processes 2, links 1";

/** {@link leftovers} when nothing is left. */
export const NOTHING = "containers 0, networks 0, volumes 0, folders 0, processes 0, links 0";

/** What a promise has come to, looked at without waiting for it. */
export function watch<T>(promise: Promise<T>): { value: T | null; error: unknown } {
  const seen: { value: T | null; error: unknown } = { value: null, error: null };
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}
