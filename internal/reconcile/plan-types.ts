import type { Fingerprint } from "../fingerprint/index.ts";
import type {
  DerivedImage,
  Desired,
  DriftField,
  DriftPolicy,
  LaneCause,
  LaneSpec,
  ObservedContainer,
} from "../lane/index.ts";
import type { Liveness } from "./liveness.ts";

/** What is wanted of a lane, fresh from its record and its configuration. */
export interface Wanted {
  readonly desired: Desired;
  /** The spec a new container would get, or why there can be none. */
  readonly spec:
    | { readonly kind: "ok"; readonly spec: LaneSpec; readonly fingerprint: Fingerprint }
    /** Its image is not made yet: what runs goes on as it is until then. */
    | { readonly kind: "unbuilt"; readonly image: DerivedImage; readonly cause: LaneCause }
    | { readonly kind: "error"; readonly cause: LaneCause };
  readonly driftPolicy: DriftPolicy;
  /** A standing request, done away with once carried out. */
  readonly request: LaneRequest | null;
  /** The last generation given out. */
  readonly generation: number;
}

/** What a person, or a cancel that nobody answers, asks for beyond "up" or "stopped". */
export interface LaneRequest {
  /** `end`: whatever it does, and whether or not another one can be made. */
  readonly kind: "restart" | "recreate" | "end";
  /** Do not wait for the running job. */
  readonly now: boolean;
  readonly cause: LaneCause;
}

/** What was seen of a lane just now. */
export interface Observed {
  readonly container: ObservedLaneContainer | null;
  /** A job occupies the lane. */
  readonly busy: boolean;
  /** The authenticated link of this container's generation is open. */
  readonly linked: boolean;
  /** How long the worker has been silent, ms; 0 while linked and answering. */
  readonly silentMs: number;
  /** How long the container has been in limbo, ms; 0 when it is not. */
  readonly limboMs: number;
}

/** A container of the lane's name. */
export interface ObservedLaneContainer {
  readonly inspect: ObservedContainer;
  /** `ours`: our labels, the present generation, a spec on record. `stale`: ours, but older or without a record. */
  readonly owner: "ours" | "stale" | "foreign";
  readonly liveness: Liveness;
  /** Wanted against the spec on record. */
  readonly specDrift: readonly DriftField[];
  /** The container against the spec on record: changed by hand. */
  readonly handDrift: readonly DriftField[];
  /** `http://127.0.0.1:PORT`, null when nothing is published. */
  readonly endpoint: string | null;
}

/** One step, with its cause. Destructive ones end a container. */
export type PlanStep =
  /** Begun, not waited for: the lane is looked at again when it is done. */
  | { readonly op: "make_image"; readonly cause: LaneCause; readonly image: DerivedImage }
  | { readonly op: "create"; readonly cause: LaneCause; readonly spec: LaneSpec; readonly fingerprint: Fingerprint }
  | { readonly op: "start"; readonly cause: LaneCause }
  | { readonly op: "prove"; readonly cause: LaneCause }
  | { readonly op: "adopt"; readonly cause: LaneCause; readonly containerId: string; readonly endpoint: string }
  | { readonly op: "restart"; readonly cause: LaneCause; readonly containerId: string; readonly endpoint: string }
  | { readonly op: "unpause"; readonly cause: LaneCause; readonly containerId: string }
  | { readonly op: "drain"; readonly cause: LaneCause }
  | { readonly op: "undrain"; readonly cause: LaneCause }
  | { readonly op: "hold"; readonly cause: LaneCause; readonly fields: readonly DriftField[] }
  | { readonly op: "stop"; readonly cause: LaneCause; readonly containerId: string }
  | { readonly op: "settle_stopped"; readonly cause: LaneCause; readonly containerId: string }
  | { readonly op: "remove"; readonly cause: LaneCause; readonly containerId: string; readonly failure: boolean }
  | { readonly op: "fail"; readonly cause: LaneCause; readonly terminal: boolean }
  | { readonly op: "dispose"; readonly cause: LaneCause };

/** What is to be done, in order; and when to look again although nothing happens, ms. */
export interface Plan {
  readonly steps: readonly PlanStep[];
  readonly requeueMs: number | null;
}

/** Time limits the planner knows. */
export interface PlanLimits {
  /** Without readiness and without a heartbeat for so long, a worker is hung. */
  readonly hungMs: number;
  /** How often an unproven worker is asked again, ms. */
  readonly reproveMs: number;
  /** A person's stop waits so long for the running job. */
  readonly stopDrainMs: number;
  /** A status without proof of death gets so long to become one or the other (pitfalls P9, P11). */
  readonly settleMs: number;
}

export const DEFAULT_PLAN_LIMITS: PlanLimits = { hungMs: 60_000, reproveMs: 1000, stopDrainMs: 30_000, settleMs: 2000 };
