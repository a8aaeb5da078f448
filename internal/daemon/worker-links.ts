import { AppError } from "../base/index.ts";
import type { LaneLink as DispatchLink, StartRequest } from "../dispatch/index.ts";
import type { WorkerEvent } from "../job/index.ts";
import type { AttemptReport, HeartbeatReport } from "../protocol/index.ts";
import type { LaneLink as SupervisedLink, WorkerLinks, WorkerTarget } from "../supervisor/index.ts";
import {
  createReadyProber,
  type LaneApiRequest,
  type LaneApiResponse,
  openLink,
  type WorkerLink,
} from "../workerlink/index.ts";

type MoreParts = "build" | "deliverCredentials" | "readCredentials" | "git";

/** A link as the supervisor, the dispatcher, the credential desk and the git desk need it. */
export interface DaemonLink extends SupervisedLink, DispatchLink, Pick<WorkerLink, MoreParts> {}

/** Where what comes over the links goes. Bound after the fact: links exist only once all is built. */
export interface LinkSinks {
  getAcked(laneId: string): Readonly<Record<string, number>>;
  onEvents(laneId: string, generation: number, job: string, attempt: number, events: readonly WorkerEvent[]): void;
  /** Left out where nobody asks how far jobs are. */
  onHeartbeat?(laneId: string, generation: number, running: readonly HeartbeatReport[]): void;
  onLaneCall(laneId: string, request: LaneApiRequest, opts: { readonly signal: AbortSignal }): Promise<LaneApiResponse>;
  onLost(laneId: string, error: AppError): void;
}

/** The links of all lanes. */
export interface DaemonLinks extends WorkerLinks<DaemonLink> {
  /** The lane's newest link while it is open; opened, but not necessarily in use yet. */
  of(laneId: string): DaemonLink | null;
}

/** Reaches workers over HTTP and WebSocket. The build is not demanded: a worker of another build is drift, not a stranger. */
export function createWorkerLinks(sinks: LinkSinks): DaemonLinks & Disposable {
  const prober = createReadyProber();
  const newest = new Map<string, DaemonLink>();
  return {
    probe: (target, opts) => prober.probeReady({ ...target, build: null }, opts),
    open: async (target, opts) => {
      const link = toDaemonLink(await open(target, opts.signal, sinks));
      newest.set(link.laneId, link);
      void link.closed.then(() => {
        if (newest.get(link.laneId) === link) newest.delete(link.laneId);
      });
      return link;
    },
    of: (laneId) => newest.get(laneId) ?? null,
    [Symbol.dispose]: () => prober.close(),
  };
}

function open(target: WorkerTarget, signal: AbortSignal | undefined, sinks: LinkSinks): Promise<WorkerLink> {
  const { laneId, generation } = target;
  return openLink({
    ...target,
    build: null,
    signal,
    getAcked: () => sinks.getAcked(laneId),
    on: {
      events: ({ job, attempt, events }) => sinks.onEvents(laneId, generation, job, attempt, events),
      heartbeat: (running) => sinks.onHeartbeat?.(laneId, generation, running),
      apiRequest: (request, opts) => sinks.onLaneCall(laneId, request, opts),
      closed: ({ error }) => {
        if (error instanceof AppError) sinks.onLost(laneId, error);
      },
    },
  });
}

function toDaemonLink(link: WorkerLink): DaemonLink {
  return {
    laneId: link.laneId,
    generation: link.generation,
    pid: link.pid,
    spool: link.spool,
    attempts: link.attempts,
    closed: link.closed,
    start: (r: StartRequest, opts): Promise<AttemptReport> => link.start(r.job, r.attempt, r.bodyHash, r.work, opts),
    cancel: ({ job, attempt }, opts) => link.cancel(job, attempt, opts),
    build: link.build,
    deliverCredentials: link.deliverCredentials,
    readCredentials: link.readCredentials,
    git: link.git,
    ack: link.ack,
    ping: link.ping,
    close: link.close,
  };
}
