import type { LaneCause, RepositoryConfig, Widening, WorkspaceSettings } from "../lane/index.ts";
import type { ApiLane } from "../protocol/index.ts";
import type { Awaitable, CallOptions, LaneView } from "./ports.ts";

/** What a lane is made with beyond its own settings. */
export interface LaneMakingView {
  /** Agent of prompts that name none, as far as lane, workspace or repository say. */
  readonly agent: string | null;
  readonly ports: NonNullable<ApiLane["ports"]>;
  readonly setup: NonNullable<ApiLane["setup"]>;
  readonly repository: {
    readonly commit: string | null;
    readonly error: LaneCause | null;
    readonly asked: AskedView | null;
  };
  /** What keeps its jobs, or a newer file of the repository, from being taken up. */
  readonly cause: LaneCause | null;
}

/** What a repository's own file asks a person for. */
export interface AskedView {
  readonly sha256: string;
  readonly word: "pending" | "approved" | "denied";
  readonly fields: readonly Widening[];
}

/** What lanes are made with. */
export interface LaneConfigService {
  settingsOf(workspaceId: string): WorkspaceSettings;
  patchWorkspace(workspaceId: string, change: WorkspaceChange): Awaitable<WorkspaceSettings>;
  /** The repository's own file as `base` has it; null: the workspace's. */
  repository(workspaceId: string, base: string | null, opts: CallOptions): Promise<RepositoryFileView>;
  /** @throws request.key_conflict when the file asks for something else by now */
  decide(
    workspaceId: string,
    said: { readonly base: string | null; readonly sha256: string; readonly word: "approved" | "denied" },
    opts: CallOptions,
  ): Promise<void>;
  /** A lane's settings in force, and who has said each. */
  laneConfig(laneId: string, opts: CallOptions): Promise<LaneConfigView>;
  /** Prepares the lane's container again, or goes on without it. @throws lane.not_ready, request.invalid */
  setUp(laneId: string, opts: { readonly skip: boolean }): LaneView;
}

/** A change of a workspace's settings: what is left out stays. */
type WorkspaceChange = { readonly [K in keyof WorkspaceSettings]?: WorkspaceSettings[K] | undefined };

/** A repository's own file. */
interface RepositoryFileView {
  readonly base: string | null;
  readonly commit: string | null;
  readonly found: boolean;
  readonly error: LaneCause | null;
  readonly config: RepositoryConfig;
  readonly asked: AskedView | null;
}

/** Values in force; `origin` is `lane`, `workspace`, `repository` or `installation`. */
interface LaneConfigView {
  readonly commit: string | null;
  readonly values: readonly { readonly key: string; readonly value: unknown; readonly origin: string }[];
}
