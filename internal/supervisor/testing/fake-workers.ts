import type { FakeRuntime } from "../../../test/support/fake-runtime.ts";
import { AppError, type Clock } from "../../base/index.ts";
import type { ObservedContainer } from "../../lane/index.ts";
import type { LaneLink, WorkerLinks, WorkerTarget } from "../ports.ts";
import type { FakeBoot } from "./fake-boot.ts";
import type { FakeHost } from "./fake-host.ts";

/** How the worker of one container behaves; by default it answers at once and lives for ever. */
export interface WorkerScript {
  /** From the container's start to the open port, ms. */
  readonly opensAfterMs?: number;
  /** From the container's start to its end, ms. */
  readonly exitsAfterMs?: number;
  /** Something else answers on the port. */
  readonly impostor?: boolean;
}

/** A link to a {@link FakeWorkers} worker. */
export interface FakeLink extends LaneLink {
  readonly isOpen: boolean;
}

/** The workers in the fake engine's containers. */
export interface FakeWorkers extends WorkerLinks<FakeLink> {
  /** By generation. */
  script: (generation: number) => WorkerScript;
  /** The workers are stopped in their tracks: they accept connections and say nothing. */
  frozen: boolean;
  /** Links do not break when their worker ends; they only say nothing any more. */
  halfOpen: boolean;
  /** Links that are open now. */
  openLinks(): readonly FakeLink[];
  /** Links ever opened. */
  readonly opened: number;
  /** Starts ever seen. */
  readonly starts: readonly { readonly generation: number; readonly atMs: number }[];
  /** Starts while another worker of the lane still lived. */
  readonly doubles: readonly string[];
  /** To be called after whatever may have started or ended a container. */
  follow(): void;
}

interface Worker {
  readonly container: ObservedContainer;
  readonly generation: number;
  readonly startedMs: number;
  readonly secret: string | null;
  readonly script: WorkerScript;
}

/** One answer takes so long to be given up, ms. */
const PROBE_TIMEOUT_MS = 2000;

/** Workers of `runtime`'s containers; each knows the secret that was staged for its generation when it was started. */
export function createFakeWorkers(from: {
  readonly runtime: FakeRuntime;
  readonly host: FakeHost;
  readonly boot: FakeBoot;
  readonly clock: Clock;
}): FakeWorkers {
  const { runtime, host, boot, clock } = from;
  const workers = new Map<number, Worker>();
  const links = new Map<FakeLink, Worker>();
  const starts: { generation: number; atMs: number }[] = [];
  const doubles: string[] = [];
  let opened = 0;

  const lives = (worker: Worker) =>
    runtime.processes.has(worker.container.pid) &&
    runtime.containers().some((c) => c.id === worker.container.id && c.pid === worker.container.pid);
  const start = (container: ObservedContainer) => {
    const labels = container.labels;
    const generation = labels?.generation ?? 0;
    const others = [...workers.values()].filter((w) => w.container.labels?.lane === labels?.lane);
    const left = others.find((w) => host.startTime(w.container.pid) !== null);
    if (left) doubles.push(`${generation} while ${left.generation} lived`);
    const secret = boot.secrets.get(`${labels?.lane}/${generation}`) ?? null;
    const script = self.script(generation);
    const worker = { container, generation, startedMs: clock.monotonicMs(), secret, script };
    workers.set(container.pid, worker);
    starts.push({ generation, atMs: clock.monotonicMs() });
    const end = () => {
      if (lives(worker)) runtime.die(container.id, 3);
      self.follow();
    };
    if (script.exitsAfterMs === 0) end();
    else if (script.exitsAfterMs !== undefined) clock.timer(script.exitsAfterMs, end);
  };
  const find = ({ endpoint }: WorkerTarget) =>
    [...workers.values()].find(
      (w) => lives(w) && endpoint === `http://127.0.0.1:${w.container.ports[0]?.hostPort}` && isOpen(w),
    );
  const isOpen = (w: Worker) => clock.monotonicMs() - w.startedMs >= (w.script.opensAfterMs ?? 0);
  const refused = () => new AppError({ code: "worker.unreachable", message: "connection refused", retry: "retryable" });

  const self: FakeWorkers = {
    script: () => ({}),
    frozen: false,
    halfOpen: false,
    starts,
    doubles,
    openLinks: () => [...links.keys()].filter((link) => link.isOpen),
    get opened() {
      return opened;
    },
    follow: () => {
      for (const container of runtime.containers()) {
        if (container.labels && container.status === "running" && !workers.has(container.pid)) start(container);
      }
      if (self.halfOpen) return;
      for (const [link, worker] of links) if (!lives(worker)) link.close("the worker is gone");
    },
    probe: async (target, { signal }) => {
      const worker = find(target);
      if (!worker) return { kind: "no_answer", error: refused() };
      if (self.frozen) {
        await clock.sleep(PROBE_TIMEOUT_MS, { signal });
        return { kind: "no_answer", error: refused() };
      }
      if (worker.script.impostor) return { kind: "impostor", reason: "it does not know the secret" };
      const knows = worker.secret === target.secret && worker.generation === target.generation;
      return knows ? { kind: "proven" } : { kind: "impostor", reason: "another secret or generation" };
    },
    open: async (target) => {
      const worker = find(target);
      if (!worker || self.frozen) throw refused();
      const knows = worker.secret === target.secret && worker.generation === target.generation;
      if (worker.script.impostor || !knows) {
        throw new AppError({ code: "worker.impostor", message: "it does not know the secret" });
      }
      opened += 1;
      const link = createLink(target, () => self.frozen || !lives(worker));
      links.set(link, worker);
      return link;
    },
  };
  return self;
}

function createLink({ laneId, generation }: WorkerTarget, isFrozen: () => boolean): FakeLink {
  let end = (_reason: string): void => undefined;
  const closed = new Promise<string>((resolve) => {
    end = resolve;
  });
  let isOpen = true;
  return {
    laneId,
    generation,
    pid: 2,
    closed,
    get isOpen() {
      return isOpen;
    },
    close: (reason) => {
      isOpen = false;
      end(reason);
    },
    ping: ({ signal }) =>
      new Promise((resolve, reject) => {
        const gone = () => reject(new AppError({ code: "worker.unreachable", message: "the link is gone" }));
        if (!isOpen) return gone();
        void closed.then(gone);
        if (isFrozen()) signal?.addEventListener("abort", gone, { once: true });
        else resolve(1);
      }),
  };
}
