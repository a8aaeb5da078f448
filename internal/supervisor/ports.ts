import type { AppError } from "../base/index.ts";
import type {
  ContainerSummary,
  DerivedImage,
  Desired,
  EngineEvent,
  Lane,
  LaneCause,
  LaneHistoryEntry,
  LaneSettings,
  LaneSpec,
  ObservedContainer,
} from "../lane/index.ts";
import type { EngineProfile } from "../reconcile/index.ts";

/** Options of every call that can wait. */
export interface CallOptions {
  /** Aborts the wait; a mutation that was sent already may still take effect. */
  readonly signal?: AbortSignal | undefined;
}

/** What the engine is, found once per connection. */
export interface EngineFacts {
  /** As `4.3.1`. */
  readonly version: string;
  readonly rootless: boolean;
  readonly selinux: boolean;
  /** `v1` or `v2`. */
  readonly cgroups: string;
  /** Resource limits take effect (not so for rootless on cgroups v1). */
  readonly limitsEffective: boolean;
  readonly networkBackend: string;
  /** Where it was found: `unix:///run/podman/podman.sock`. */
  readonly address: string;
}

/** What a lane's container is created from. */
export interface CreateContainer {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: LaneSpec;
}

/**
 * The container engine as the supervisor needs it. Every method may throw `engine.unavailable` (retryable: the
 * service does not answer), `engine.request_failed`, `cancelled`; nothing is decided from message texts.
 */
export interface LaneRuntime {
  facts(opts: CallOptions): Promise<EngineFacts>;
  /** All containers carrying `installLabel=value`, running or not. */
  listContainers(opts: CallOptions & { readonly install: string }): Promise<readonly ContainerSummary[]>;
  /** By id or name; `null` when there is none. Never an image of that name. */
  inspectContainer(idOrName: string, opts: CallOptions): Promise<ObservedContainer | null>;
  /** @throws engine.conflict (name in use), engine.image_missing, engine.bad_mount */
  createContainer(create: CreateContainer, opts: CallOptions): Promise<{ readonly id: string }>;
  /** Starting a running one is fine. @throws engine.port_in_use, engine.not_found, engine.bad_mount */
  startContainer(id: string, opts: CallOptions): Promise<void>;
  /** TERM, then KILL after `graceMs`. Not running or absent is fine. Does not prove death. */
  stopContainer(id: string, opts: CallOptions & { readonly graceMs: number }): Promise<void>;
  /** Force: kills and removes, absent is fine. */
  removeContainer(id: string, opts: CallOptions): Promise<void>;
  /** Removes what a create that was cut off left under a name; never a container. Absent is fine. */
  clearName(name: string, opts: CallOptions): Promise<void>;
  unpauseContainer(id: string, opts: CallOptions): Promise<void>;
  /** The last `lines` lines of the container's own output. Empty when it is absent. */
  containerLogs(id: string, opts: CallOptions & { readonly lines: number }): Promise<readonly string[]>;
  /** What a container has written beside its mounts, and where a volume is on this machine; null for what is not there. */
  observeDisk(
    names: { readonly container: string | null; readonly volume: string },
    opts: CallOptions,
  ): Promise<{ readonly containerBytes: number | null; readonly volumePath: string | null }>;
  /** Idempotent. */
  ensureNetwork(
    network: { readonly name: string; readonly isolate: boolean; readonly labels: Readonly<Record<string, string>> },
    opts: CallOptions,
  ): Promise<void>;
  /** Absent is fine; disconnects nothing: remove the container first. */
  removeNetwork(name: string, opts: CallOptions): Promise<void>;
  listNetworks(opts: CallOptions & { readonly install: string }): Promise<readonly OwnedResource[]>;
  /** Idempotent. The root of a new volume belongs to `owner`, as seen in the container. */
  ensureVolume(
    volume: {
      readonly name: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly owner: { readonly uid: number; readonly gid: number };
    },
    opts: CallOptions,
  ): Promise<void>;
  /** Absent is fine. */
  removeVolume(name: string, opts: CallOptions): Promise<void>;
  listVolumes(opts: CallOptions & { readonly install: string }): Promise<readonly OwnedResource[]>;
  /** The image's id, or `null` when it is not there. */
  findImage(reference: string, opts: CallOptions): Promise<{ readonly id: string } | null>;
  /**
   * Calls `onEvent` for each container event of this installation until the signal aborts (resolves) or the stream
   * breaks (rejects). `onOpen` is called once the engine has accepted the subscription.
   */
  watchEvents(opts: {
    readonly install: string;
    readonly signal: AbortSignal;
    readonly onOpen: () => void;
    readonly onEvent: (event: EngineEvent) => void;
  }): Promise<void>;
}

/** Makes images with packages on top of another image, beside the lanes' loops. All but `sweep` return at once. */
export interface ImageMaker {
  /** What a lane is to be made from, told at each look; null: an image as it is. */
  note(laneId: string, image: DerivedImage | null): void;
  /** Why this image could not be made for this lane; null: it was not tried since the last {@link retry}. */
  failureOf(laneId: string, image: DerivedImage): LaneCause | null;
  /** The last lines of what the failed try wrote. */
  outputOf(laneId: string): readonly string[];
  /** Has it made, once for all lanes that want it; the lane is woken at the end. False: it waits for it already. */
  begin(laneId: string, image: DerivedImage, engine: EngineConnection): boolean;
  /** Forgets why it failed for the lane: the next look tries again. */
  retry(laneId: string): void;
  /** The lane is removed: what is made for it alone is given up. */
  leave(laneId: string): void;
  /** Removes what a dead daemon was making, and images that no lane wants; names of what went. */
  sweep(engine: EngineConnection, opts: CallOptions): Promise<readonly string[]>;
}

/** A network or volume with our label. */
export interface OwnedResource {
  readonly name: string;
  readonly lane: string | null;
}

/** What a lane keeps over a restart of the daemon, beyond its own row. */
export interface LaneMemory {
  /** Wall times of the failed starts inside the last ten minutes, oldest first. */
  readonly failuresAtMs: readonly number[];
  /** The sticky failure, if the lane has one. */
  readonly failed: { readonly cause: LaneCause; readonly logTail: readonly string[]; readonly atMs: number } | null;
}

/** A generation on record: what its container was created from. */
export interface GenerationRecord {
  readonly laneId: string;
  readonly generation: number;
  readonly spec: LaneSpec;
  readonly fingerprint: string;
  readonly createdAtMs: number;
}

/** Lanes on record. All calls are synchronous and durable when they return; `store.*` errors otherwise. */
export interface LaneStore {
  listLanes(): readonly Lane[];
  findLane(id: string): Lane | null;
  /** @throws lane.exists */
  insertLane(lane: Lane): void;
  updateLane(id: string, change: { readonly desired?: Desired; readonly settings?: LaneSettings }): Lane;
  /** Removes the lane, its generations, memory and history; its jobs stay readable. Absent is fine. */
  deleteLane(id: string): void;
  /** Gives out the next generation and records its spec, in one transaction, before anything is created. */
  beginGeneration(id: string, spec: LaneSpec, fingerprint: string, atMs: number): number;
  findGeneration(id: string, generation: number): GenerationRecord | null;
  loadMemory(id: string): LaneMemory;
  saveMemory(id: string, memory: LaneMemory): void;
  /** Appends to the lane's bounded history and to the feed; returns the entry with its number. */
  appendHistory(id: string, entry: Omit<LaneHistoryEntry, "seq">): LaneHistoryEntry;
  /** Newest last. */
  listHistory(id: string, opts: { readonly limit: number }): readonly LaneHistoryEntry[];
}

/** The engine as found: present, or why not. */
export interface EngineConnection {
  readonly runtime: LaneRuntime;
  readonly facts: EngineFacts;
  /** The service was started by us and ends with us. */
  readonly own: boolean;
  /** What works on this machine; found by a trial with `imageId` the first time, then remembered. */
  profile(opts: CallOptions & { readonly imageId: string }): Promise<EngineProfile>;
  close(): Promise<void>;
}

/** Finds the engine. May be called again after a loss. @throws engine.unavailable, engine.refused */
export interface EngineFinder {
  connect(opts: CallOptions): Promise<EngineConnection>;
}

/** An authenticated link to one generation's worker. */
export interface LaneLink {
  readonly laneId: string;
  readonly generation: number;
  /** The worker's pid inside the container. */
  readonly pid: number;
  /** One round trip, ms. Rejects when the link is gone or the signal aborts. */
  ping(opts: CallOptions): Promise<number>;
  close(reason: string): void;
  /** Resolves with the reason once the link is gone. */
  readonly closed: Promise<string>;
}

/** What one probe of `GET /readyz` found. */
export type ProbeResult =
  | { readonly kind: "proven" }
  | { readonly kind: "not_ready" }
  | { readonly kind: "impostor"; readonly reason: string }
  | { readonly kind: "no_answer"; readonly error: Error };

/** Reaches workers. `L` is the link as the dispatcher needs it; the supervisor only passes it on. */
export interface WorkerLinks<L extends LaneLink> {
  probe(target: WorkerTarget, opts: CallOptions): Promise<ProbeResult>;
  /** @throws worker.unreachable, worker.impostor, worker.protocol */
  open(target: WorkerTarget, opts: CallOptions): Promise<L>;
}

/** The host's credentials as lanes get them. There is none where no folder of them is configured. */
export interface Credentials<L extends LaneLink> {
  /**
   * Has the lane's worker place them, and resolves with their digest once it has shown that they are there just as they
   * were sent; null when there are none to have. May be called again, also while a call is under way.
   * @throws credentials.refused when they cannot be used on the host, and never could since the daemon's start;
   * credentials.failed (retryable) when the lane could not take them; worker.unreachable
   */
  deliver(link: L, opts: CallOptions): Promise<string | null>;
  /** Why the host's credentials cannot be used now; what was usable last is delivered meanwhile. */
  refusal(): AppError | null;
}

/** Which worker, and what proves it. */
export interface WorkerTarget {
  readonly laneId: string;
  readonly endpoint: string;
  readonly generation: number;
  readonly secret: string;
}

/** The bootstrap folders mounted at `/run/lane`, and the secrets of the lanes' workers. */
export interface BootFolders {
  /** Makes the lane's folder anew for a generation; the secret is drawn here. Idempotent. */
  stage(boot: { readonly lane: Lane; readonly generation: number; readonly spec: LaneSpec }): Promise<void>;
  /** The secret of a generation, or null when it is not known any more. */
  secretOf(laneId: string, generation: number): Promise<string | null>;
  /** Removes the lane's folder and secrets. Absent is fine. */
  remove(laneId: string): Promise<void>;
  /** Ids of all lanes that have a folder. */
  list(): Promise<readonly string[]>;
}

/** The host's own view of processes and files. */
export interface HostView {
  /** Start time of a pid in clock ticks since boot, or null when there is none. A zombie counts as gone. */
  startTime(pid: number): number | null;
  /** Owner of a folder, or null when it is not there. */
  ownerOf(path: string): Promise<{ readonly uid: number; readonly gid: number } | null>;
  /** Monitor processes (conmon) of this installation's lanes: `{pid, containerId, containerName}`. */
  listMonitors(install: string): Promise<readonly MonitorProcess[]>;
  /** Ends what an orphaned monitor holds: the runtime's container, then the monitor itself. */
  reapMonitor(monitor: MonitorProcess, opts: CallOptions): Promise<void>;
}

/** A conmon process seen on the host. */
export interface MonitorProcess {
  readonly pid: number;
  readonly startTime: number;
  readonly containerId: string;
  readonly containerName: string;
}

/** The dispatcher as the supervisor needs it. */
export interface JobDesk<L extends LaneLink> {
  /** A job occupies the lane. */
  busy(laneId: string): boolean;
  attachLink(link: L): void;
  detachLink(laneId: string): void;
  /** Proof of death of a generation; the volume outlives it unless said otherwise. */
  onLaneDead(death: { readonly laneId: string; readonly generation: number; readonly volumeIntact: boolean }): void;
  /** The lane is removed for good: its jobs end. Called before its record goes. */
  onLaneRemoved(laneId: string): void;
  /** Start nothing new; `reason` is shown on what waits. */
  pause(laneId: string, reason: string): void;
  resume(laneId: string): void;
}
