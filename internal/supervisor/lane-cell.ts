import type { AgentSpec, DriftField, Lane, LaneState, ObservedContainer } from "../lane/index.ts";
import type { EngineProfile, LaneRequest, Wanted } from "../reconcile/index.ts";
import type { GenerationRecord, LaneLink, LaneMemory } from "./ports.ts";

/**
 * What the supervisor holds of one lane between two runs of its loop. Written by that lane's loop only, but for
 * `request`, `link` and `lastAnswerMs`, which their owners set before they wake the loop.
 */
export interface LaneCell<L extends LaneLink> {
  lane: Lane;
  state: LaneState;
  memory: LaneMemory;
  /** The open link of the present generation. */
  link: L | null;
  /** Monotonic ms of the last proof of life; the cell's making counts as one. */
  lastAnswerMs: number;
  /** Monotonic ms since when the container has been in limbo; null when it is not. */
  limboSinceMs: number | null;
  /** Consecutive pings without an answer. */
  missedPings: number;
  /** A standing request: a person's, or that of a cancel that nobody answers. */
  request: LaneRequest | null;
  /** Ends a wait for proof when something else is wanted meanwhile; made anew by each run of the loop. */
  interrupt: AbortController;
  /** The container as last inspected. */
  container: ObservedContainer | null;
  /** The spec as last built. A relist asks for it every few seconds, of every lane: it is built anew only of other facts. */
  built: BuiltSpec | null;
  /** The present generation's record as last read; a generation's never changes. */
  record: GenerationRecord | null;
  /** Differences as last judged: wanted against record, and container against record. */
  drift: readonly DriftField[];
  /** Drift that was held and is on record already, as one text. */
  heldDrift: string | null;
  /** The container's main process and its monitor as first seen; a pid alone may be another process by now. */
  main: PidRecord | null;
  monitor: PidRecord | null;
  /** Network and volume are known to exist. */
  resourcesReady: boolean;
  /** The container was found running, not started by this daemon: what fails in it is no failed start. */
  adopted: boolean;
  supply: CredentialSupply<L>;
  /** Called whenever the state or the desired state has changed. */
  readonly watchers: Set<() => void>;
}

/** A spec, and all that it was built from. */
export interface BuiltSpec {
  readonly lane: Lane;
  readonly profile: EngineProfile;
  readonly imageId: string;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly agents: readonly AgentSpec[];
  readonly objects: string | null;
  readonly spec: Extract<Wanted["spec"], { readonly kind: "ok" }>;
}

/** What is known of a lane's credentials. */
export interface CredentialSupply<L extends LaneLink> {
  /** Digest of what its worker has last confirmed; null for nothing. */
  readonly digest: string | null;
  /** The link over which they were first delivered; another one has to see to it anew. */
  readonly link: L | null;
  /** Failed deliveries in a row, since the last success or change. */
  failures: number;
  /** Monotonic ms of the next try; null when none is due. */
  dueMs: number | null;
}

/** A process that cannot be mistaken for another: its pid and its start time in clock ticks. */
export interface PidRecord {
  readonly containerId: string;
  readonly pid: number;
  readonly startTime: number;
}

/** A cell as it is at the daemon's start: nothing observed yet. */
export function newCell<L extends LaneLink>(lane: Lane, memory: LaneMemory, nowMonotonicMs: number): LaneCell<L> {
  return {
    lane,
    state: memory.failed
      ? { phase: "failed", failures: memory.failuresAtMs.length, ...memory.failed }
      : { phase: "absent" },
    memory,
    link: null,
    lastAnswerMs: nowMonotonicMs,
    limboSinceMs: null,
    missedPings: 0,
    request: null,
    interrupt: new AbortController(),
    container: null,
    built: null,
    record: null,
    drift: [],
    heldDrift: null,
    main: null,
    monitor: null,
    resourcesReady: false,
    adopted: false,
    supply: { digest: null, link: null, failures: 0, dueMs: null },
    watchers: new Set(),
  };
}
