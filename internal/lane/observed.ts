import type { LaneLabels } from "./labels.ts";

/** A container's status in Podman's words; anything else is `unknown`. */
export type ContainerStatus =
  | "created"
  | "configured"
  | "initialized"
  | "running"
  | "paused"
  | "stopping"
  | "stopped"
  | "exited"
  | "removing"
  | "unknown";

/** One row of a relist: enough to see what changed, not enough to check a spec. */
export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly status: ContainerStatus;
  /** Pid on the host, 0 when there is none. */
  readonly pid: number;
  readonly labels: LaneLabels | null;
  /** The raw labels, for owners that {@link LaneLabels} does not cover. */
  readonly rawLabels: Readonly<Record<string, string>>;
}

/** A container as inspect shows it, normalised: no order, prefix or version of Podman shows through. */
export interface ObservedContainer {
  readonly id: string;
  readonly name: string;
  readonly status: ContainerStatus;
  readonly labels: LaneLabels | null;
  readonly rawLabels: Readonly<Record<string, string>>;
  /** 64 hex digits. */
  readonly imageId: string;
  readonly entrypoint: readonly string[];
  readonly user: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly ObservedMount[];
  readonly ports: readonly ObservedPort[];
  readonly networks: readonly string[];
  /** Capabilities in force without `CAP_`, sorted; `null` where the engine does not say. */
  readonly capabilities: readonly string[] | null;
  readonly memoryBytes: number | null;
  readonly pids: number | null;
  readonly cpus: number | null;
  /** Pid on the host, 0 when there is none. */
  readonly pid: number;
  readonly conmonPid: number;
  /** ms since the epoch, null when never started. */
  readonly startedAtMs: number | null;
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  /** Path of the container's cgroup, as Podman names it. */
  readonly cgroupPath: string | null;
  readonly restarts: number;
}

/** A mount as inspect shows it. */
export interface ObservedMount {
  readonly kind: "bind" | "volume" | "other";
  /** Path of a bind, name of a volume. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** A published port as inspect shows it. */
export interface ObservedPort {
  readonly containerPort: number;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** A hint from the engine's event stream; it never decides anything, it only wakes the loop. */
export interface EngineEvent {
  readonly action: string;
  readonly containerId: string;
  readonly containerName: string;
  readonly atMs: number;
}
