/** What `lane doctor` looks at. Facts are only observed here and judged in the check files. */

/** A program found on this machine. */
export interface ToolFact {
  readonly path: string;
  /** As `4.3.1`; `null` when it was not asked or did not say. */
  readonly version: string | null;
}

/** Programs looked for: on PATH, and where Podman keeps its helpers. */
export const TOOLS = [
  "podman",
  "git",
  "crun",
  "runc",
  "conmon",
  "netavark",
  "aardvark-dns",
  "iptables",
  "nft",
  "catatonit",
  "newuidmap",
  "slirp4netns",
  "pasta",
] as const;

/** Name of a program of {@link TOOLS}. */
export type ToolName = (typeof TOOLS)[number];

/** A folder of ours and the file system that holds it. */
export interface FolderFact {
  readonly path: string;
  /** Permission bits and owner; `null` when the folder does not exist (yet). */
  readonly stat: { readonly mode: number; readonly uid: number } | null;
  /** Of the file system of the folder, or of its nearest parent that exists; `null` when it cannot be read. */
  readonly freeBytes: number | null;
}

/** What the machine itself says, without asking Podman. */
export interface HostFacts {
  readonly nodeVersion: string;
  /** `linux`, as Node names it. */
  readonly platform: string;
  readonly arch: string;
  /** The user we run as; 0 is root and means rootful containers. */
  readonly uid: number;
  readonly user: string;
  readonly tools: Readonly<Partial<Record<ToolName, ToolFact>>>;
  readonly cgroups: "v2" | "v1" | "none";
  readonly selinux: "off" | "permissive" | "enforcing";
  /** Only what a rootless engine needs; all of it is observed also for root. */
  readonly rootless: {
    readonly subuid: boolean;
    readonly subgid: boolean;
    /** Sessions survive logout; `null` without systemd, where nothing ends them. */
    readonly linger: boolean | null;
    readonly tunWritable: boolean;
  };
  readonly cpus: number;
  readonly memory: {
    readonly totalBytes: number;
    readonly availableBytes: number;
  };
  readonly stateFolder: FolderFact;
  /** The host's CA bundle that lanes are given; `null` when none of the usual places has one. */
  readonly caBundle: string | null;
  /** The page's port; `taken` by anything, our own daemon included. */
  readonly apiPort: {
    readonly port: number;
    readonly configured: boolean;
    readonly taken: boolean;
  };
  readonly daemon: DaemonFact;
  /** The work tree doctor was started in; `null` outside any. */
  readonly worktree: { readonly path: string; readonly uid: number } | null;
}

/** The daemon's socket as seen from outside. */
export type DaemonFact =
  | { readonly kind: "absent" }
  /** The socket file is there and nobody answers. */
  | { readonly kind: "stale" }
  /** `api` is the page's address it serves. */
  | {
      readonly kind: "answers";
      readonly build: string;
      readonly api: string | null;
    };

/** What Podman itself says, gathered by whoever can talk to it. */
export interface DoctorPodmanFacts {
  readonly engine: DoctorEngine;
  /** Settings under which a throw-away container started here; `null` when it was not tried. */
  readonly profile: DoctorProfile | null;
  readonly image: {
    readonly reference: string;
    readonly id: string | null;
    readonly nodeVersion: string | null;
  } | null;
  /** Where images and containers are stored; `null` when unknown. */
  readonly storage: FolderFact | null;
}

/** The engine's service. */
export type DoctorEngine =
  | {
      readonly kind: "unreachable";
      readonly message: string;
      readonly hint: string | null;
    }
  | {
      readonly kind: "reachable";
      readonly version: string;
      /** As `unix:///run/podman/podman.sock`. */
      readonly address: string;
      /** The service was started by us. */
      readonly own: boolean;
      readonly rootless: boolean;
      readonly limitsEffective: boolean;
      readonly networkBackend: string;
    };

/** Outcome of the engine probe: which runtime and ulimits start a container here. */
export interface DoctorProfile {
  /** The runtime that works, as `runc`; `null` when none did. */
  readonly runtime: string | null;
  /** Lowered ulimits by name, as `{nofile: 4096}`; empty when the engine's defaults work. */
  readonly ulimits: Readonly<Record<string, number>>;
  /** Every try, in order; `error` is `null` for the one that worked. */
  readonly tries: readonly {
    readonly name: string;
    readonly error: string | null;
  }[];
}

/** All that is judged. */
export interface DoctorFacts {
  readonly host: HostFacts;
  readonly podman: DoctorPodmanFacts;
}
