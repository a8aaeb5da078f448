/**
 * Everything that determines a lane's container. The container is created from this value and this same value is
 * hashed: whatever affects the container stands here. Left out on purpose, and nothing else: the container's name
 * and labels (derived from the lane's identity and this spec), the generation, and the host port (drawn by Podman).
 */
export interface LaneSpec {
  /** Version of this shape; part of every digest, so that a new shape is seen as drift. */
  readonly schema: typeof LANE_SPEC_SCHEMA;
  readonly image: ImageSpec;
  readonly worker: WorkerSpec;
  readonly mounts: readonly MountSpec[];
  /** The container's environment. Never a secret. */
  readonly env: Readonly<Record<string, string>>;
  readonly network: NetworkSpec;
  readonly limits: LimitsSpec;
  readonly security: SecuritySpec;
  /** Agent installations, mounted read-only. */
  readonly agents: readonly AgentSpec[];
}

/** Bump when the meaning of a field changes. */
export const LANE_SPEC_SCHEMA = 1;

/** The image, by id: a moved tag is another image. */
export interface ImageSpec {
  /** 64 hex digits, without `sha256:`. */
  readonly id: string;
}

/** The worker: how it is started and the content of its binaries. */
export interface WorkerSpec {
  readonly entrypoint: readonly string[];
  readonly workdir: string;
  /** Run under an init that reaps and forwards signals (`--init`). */
  readonly init: boolean;
  /** Mounted read-only, each at its target. */
  readonly binaries: readonly BinarySpec[];
}

/** One file of ours mounted into the container. */
export interface BinarySpec {
  readonly target: string;
  readonly hostPath: string;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
}

/** A mount beyond the worker's binaries and the agents. */
export type MountSpec =
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** Relabel for SELinux with the shared label (`z`); ignored where SELinux is off. */
      readonly relabel: boolean;
    }
  | { readonly kind: "volume"; readonly source: string; readonly target: string; readonly readOnly: boolean };

/** The lane's own network and what is published. */
export interface NetworkSpec {
  /** Name of the lane's network. */
  readonly name: string;
  /** No traffic to or from other bridges (guarantee G20). */
  readonly isolate: boolean;
  readonly ports: readonly PublishedPort[];
}

/** A published port; the host's port is drawn by Podman at create. */
export interface PublishedPort {
  readonly containerPort: number;
  readonly hostIp: string;
}

/** Limits; `null` means the engine's own default. */
export interface LimitsSpec {
  readonly memoryBytes: number | null;
  readonly cpus: number | null;
  readonly pids: number | null;
  /** Soft = hard. Podman's defaults fail where the process may not raise its own hard limits. */
  readonly nofile: number | null;
  readonly nproc: number | null;
  /** The container's own log file (stdout and stderr of the worker). */
  readonly logBytes: number;
}

/** Who runs what, and with which rights. */
export interface SecuritySpec {
  /** The worker's uid:gid, never the agent's. */
  readonly workerUid: number;
  readonly workerGid: number;
  /** The agent's uid:gid: the owner of the worktree as seen in the container. */
  readonly agentUid: number;
  readonly agentGid: number;
  /** Exactly the worker's capabilities, without the `CAP_` prefix; everything else is dropped. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  /**
   * The image's own files cannot be written, `/tmp` and its like are in memory. On where the agent is root: it owns
   * those files, and what it put in their place would run as the worker at the next start.
   */
  readonly readOnlyRoot: boolean;
  readonly userns: "host" | "keep-id";
  /** OCI runtime by name (`crun`, `runc`, `runsc`); `null` for the engine's default. */
  readonly runtime: string | null;
}

/** One agent's installation. */
export interface AgentSpec {
  readonly agent: string;
  readonly version: string;
  readonly hostPath: string;
  readonly target: string;
  /** The program, as the lane sees it. */
  readonly program: string;
  /** Digest of all files that are mounted, hex. */
  readonly sha256: string;
}

/** The parts of a fingerprint, in the order they are reported. */
export const SPEC_PARTS = ["image", "worker", "mounts", "env", "network", "limits", "security", "agents"] as const;

/** One part of a {@link LaneSpec}. */
export type SpecPart = (typeof SPEC_PARTS)[number];

/** One difference between wanted and actual. `null` stands for "not there". */
export interface DriftField {
  readonly part: SpecPart;
  /** Path inside the part, as in `ports[0].hostIp` or `INBOX_API_URL`. */
  readonly field: string;
  readonly was: string | null;
  readonly is: string | null;
}
