import type { AppError, Clock } from "../base/index.ts";
import type { WorkerEvent } from "../job/index.ts";
import type { AttemptReport, CredentialFile, CredentialProof, HeartbeatReport, StartWork } from "../protocol/index.ts";
import type { LinkTarget } from "./host-handshake.ts";

/** Options of every call that can wait. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Events of one attempt, in order. */
export interface EventBatch {
  readonly job: string;
  readonly attempt: number;
  readonly events: readonly WorkerEvent[];
}

/** A call of the lane to the host API. `path` is below `/v1/lane/`, normalised. */
export interface LaneApiRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Idempotency key. */
  readonly key: string | null;
  readonly body: string;
}

/** The answer to a {@link LaneApiRequest}. */
export interface LaneApiResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Why a link is gone. */
export interface LinkEnd {
  /** `closed`: by us. `lost`: the socket or the worker went. `dropped`: we cut it, the worker broke the protocol. */
  readonly kind: "closed" | "lost" | "dropped";
  readonly reason: string;
  /** For `lost` and `dropped`: `worker.unreachable`, `worker.protocol`, `internal.bug`. */
  readonly error: AppError | null;
}

/** What a link reports. Handlers are called in the order of the frames, and never after `closed`. */
export interface LinkHandlers {
  /** Must not wait. A handler that throws drops the link: what it did not take is replayed on the next one. */
  readonly events: (batch: EventBatch) => void;
  /** Of the attempts that run; an idle worker sends none. */
  readonly heartbeat: (running: readonly HeartbeatReport[]) => void;
  /** The signal aborts when the link goes; the answer is then of no use. A rejection is answered with 500. */
  readonly apiRequest: (request: LaneApiRequest, opts: { readonly signal: AbortSignal }) => Promise<LaneApiResponse>;
  /** Exactly once, when the link is gone. Not called when opening fails. */
  readonly closed: (end: LinkEnd) => void;
}

/** What a link is opened with. */
export interface OpenLinkOptions extends LinkTarget, CallOptions {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /**
   * What the host has committed of each attempt the worker knows, as `{"<job>/<attempt>": seq}`. Attempts left out
   * are replayed from what the worker knows to be acknowledged.
   */
  readonly getAcked: (
    attempts: readonly AttemptReport[],
  ) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;
  readonly on: LinkHandlers;
  /** The machine's, but in tests. */
  readonly clock?: Clock | undefined;
}

/** The branch of a lane, as its worker tells and moves it. */
export interface LaneGit {
  /** Its tip, and the size of a bundle of its commits that none of `have` has; null when there are none. */
  fetch(
    query: { readonly branch: string; readonly have: readonly string[] },
    opts: CallOptions,
  ): Promise<{ readonly tip: string | null; readonly bundleBytes: number | null }>;
  /** The piece of that bundle from `offset` on. */
  read(offset: number, opts: CallOptions): Promise<Buffer>;
  advance(
    move: { readonly branch: string; readonly from: string; readonly to: string },
    opts: CallOptions,
  ): Promise<void>;
  /** What the lane's git dir holds beside that. Only asked of a worker of our own build: others do not know it. */
  look(opts: CallOptions): Promise<LaneHoldings>;
}

/** What a lane's git dir holds; all of it the agent's word. */
export interface LaneHoldings {
  readonly branches: readonly { readonly name: string; readonly tip: string }[];
  /** There are more branches than are named. */
  readonly more: boolean;
  /** The commit that HEAD names by itself; null while it is on a branch. */
  readonly detached: string | null;
  readonly stashes: number;
  /** Those that are there. */
  readonly submodules?: readonly SubmoduleHoldings[] | undefined;
}

/** What a submodule in a lane holds. */
export interface SubmoduleHoldings {
  readonly path: string;
  /** Commits that no remote has. */
  readonly commits: number;
  /** Changed and untracked paths, and stash entries. */
  readonly others: number;
}

/** A proven link to one generation's worker. */
export interface WorkerLink {
  readonly laneId: string;
  readonly generation: number;
  /** The worker's pid inside the container. */
  readonly pid: number;
  /** Random per worker process. */
  readonly boot: string;
  /** Digest of the worker's build. */
  readonly build: string;
  /** Random per volume: another one means that the worker's record is gone. */
  readonly spool: string;
  /** What the worker knew when the link was opened. */
  readonly attempts: readonly AttemptReport[];
  /**
   * Idempotent by (job, attempt). An attempt reported as `accepted` was never started: `start` it again (with this
   * link's generation) to have it run. @throws worker.refused (details.code says why), worker.unreachable,
   * request.too_large
   */
  start(job: string, attempt: number, bodyHash: string, work: StartWork, opts: CallOptions): Promise<AttemptReport>;
  /** Begins to end an attempt; the end comes as an event. @throws worker.refused, worker.unreachable */
  cancel(job: string, attempt: number, opts: CallOptions): Promise<AttemptReport>;
  /**
   * Has the worker place exactly these files below the agent's home, and resolves with what was then measured there;
   * whether that is what was sent is for the caller to say. Deliveries take effect in the order they are sent.
   * @throws worker.refused (details.code says why), worker.unreachable, request.too_large
   */
  deliverCredentials(files: readonly CredentialFile[], opts: CallOptions): Promise<readonly CredentialProof[]>;
  /**
   * What is in these files below the agent's home, of those that are there; untrusted. At most CREDENTIAL_READ_MAX
   * paths. Only of a worker that is of the host's own `build`: another may not know the question.
   * @throws worker.refused, worker.unreachable
   */
  readCredentials(paths: readonly string[], opts: CallOptions): Promise<readonly CredentialFile[]>;
  /**
   * Git in the lane; all of it the agent's word. Only of a worker whose lane was made with a git dir of its own.
   * @throws worker.refused (details.code says why: `held` when something is under way there), worker.unreachable
   */
  readonly git: LaneGit;
  /** Everything through `seq` is committed. Lost acks are harmless. */
  ack(job: string, attempt: number, seq: number): void;
  /** One round trip, ms. @throws worker.unreachable */
  ping(opts: CallOptions): Promise<number>;
  close(reason: string): void;
  /** Resolves with the reason once the link is gone; `on.closed` has the details. */
  readonly closed: Promise<string>;
}
