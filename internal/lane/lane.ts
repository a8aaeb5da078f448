import type { Packages } from "./packages.ts";
import type { SkillChoice } from "./skill-choice.ts";

/** What a person wants of a lane. `gone`: being removed for good. */
export type Desired = "up" | "stopped" | "gone";

/** When a drifted lane is recreated. */
export type DriftPolicy = "when-idle" | "now" | "hold";

/** What follows a job that succeeded: its commits are always taken over, and with `push` the branch is pushed. */
export type SuccessAct = "import" | "push";

/** What a lane may see through the host API. */
export type LaneRole = "lane" | "main";

/** The settings of a lane that `lane set` changes. */
export interface LaneSettings {
  /** Image reference; `null` for the installation's runtime image. */
  readonly image: string | null;
  readonly agent: string | null;
  readonly drift: DriftPolicy;
  readonly memoryBytes: number | null;
  readonly cpus: number | null;
  readonly pids: number | null;
  /** Additional variables of the container; not secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** `null` for the installation's choice. No part of the container: in force with the next prompt. */
  readonly skills: SkillChoice | null;
  /** Ref that the lane is compared with and merged into; `null` for the branch its repository had when it was made. */
  readonly base: string | null;
  /** Goes by itself after its job has succeeded and its work is safe; stays after a failure or a question. */
  readonly ephemeral: boolean;
  /** What follows a job that succeeded, beyond taking its commits over. */
  readonly onSuccess: SuccessAct;
  /** `main` sees all lanes and tasks of the installation; `lane` only itself. */
  readonly role: LaneRole;
  /** Ports of the container published on the host's loopback, beside the worker's; `null` for none. */
  readonly ports: readonly number[] | null;
  /** What its image has on top of {@link image}; `null` for nothing. */
  readonly packages: Packages | null;
}

/** A lane's settings when nothing was said. */
export const DEFAULT_SETTINGS: LaneSettings = {
  image: null,
  agent: null,
  drift: "when-idle",
  memoryBytes: null,
  cpus: null,
  pids: null,
  env: {},
  skills: null,
  base: null,
  ephemeral: false,
  onSuccess: "import",
  role: "lane",
  ports: null,
  packages: null,
};

/** A git repository registered with the supervisor. */
export interface Workspace {
  readonly id: string;
  readonly name: string;
  /** Absolute path of the repository's main work tree. */
  readonly path: string;
  readonly createdAtMs: number;
}

/** A lane as it is on record. Everything else about it is observed. */
export interface Lane {
  readonly id: string;
  readonly name: string;
  readonly workspaceId: string;
  readonly branch: string;
  /** Absolute path on the host. */
  readonly worktree: string;
  readonly desired: Desired;
  readonly settings: LaneSettings;
  /** The last generation ever given out; the next container gets one more. */
  readonly generation: number;
  readonly createdAtMs: number;
}

/** One line of a lane's history: state changes and acts, with cause. */
export interface LaneHistoryEntry {
  readonly seq: number;
  readonly atMs: number;
  readonly generation: number | null;
  /** Name of the event, or of an act as `drift:held`. */
  readonly event: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly cause: { readonly code: string; readonly message: string } | null;
}
