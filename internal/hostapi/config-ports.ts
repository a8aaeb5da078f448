import type { LaneCause, RepositoryConfig, WorkspaceSettings } from "../lane/index.ts";
import type { AskedView, LaneView } from "./lane-ports.ts";
import type { Awaitable, CallOptions } from "./port-terms.ts";

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
