import type {
  DriftField,
  Lane,
  LaneCause,
  LaneHistoryEntry,
  LaneSettings,
  LaneState,
  ObservedContainer,
  Widening,
} from "../lane/index.ts";
import type {
  ApiDrift,
  ApiExecPlan,
  ApiLane,
  ApiLaneDiff,
  ApiLaneDisk,
  ApiLaneMerge,
  ApiPlan,
  ApiPrunableLane,
  ApiRemovedLane,
  ExecRequest,
  MergeLane,
  PlanIntent,
} from "../protocol/index.ts";
import type { Awaitable, CallOptions, WaitOptions } from "./port-terms.ts";

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

/** A lane as it is now. */
export interface LaneView {
  readonly lane: Lane;
  readonly state: LaneState;
  /** What was last seen of its container. */
  readonly container: ObservedContainer | null;
  readonly drift: readonly DriftField[];
  readonly containerName: string;
  /** Id of the job that occupies it. */
  readonly job: string | null;
  readonly queued: number;
  readonly git: ApiLane["git"];
  /** What a person should know of a lane that was just made. */
  readonly notices?: readonly string[] | undefined;
  readonly credentials: ApiLane["credentials"];
  /** What it is made with, and how its container was prepared. */
  readonly making?: LaneMakingView | undefined;
}

/** A change of settings: what is left out stays. */
export type SettingsChange = { readonly [K in keyof LaneSettings]?: LaneSettings[K] | undefined };

/** A lane to be made; the name is a valid one, the workspace is there. */
export interface NewLane {
  readonly workspaceId: string;
  readonly name: string;
  /** Default: the repository's HEAD. */
  readonly from?: string | undefined;
  /** Default: the name. */
  readonly branch?: string | undefined;
  readonly settings: SettingsChange;
}

/** Lanes. Ids are those of lanes on record; every method may throw lane.not_found when one vanishes meanwhile. */
export interface LaneService {
  /** Lanes on record, from memory: asked on every call. */
  lanes(): readonly Lane[];
  /** One of {@link lanes} by its id. */
  findLane(id: string): Lane | null;
  list(opts: CallOptions): Awaitable<readonly LaneView[]>;
  get(id: string, opts: CallOptions): Awaitable<LaneView>;
  /** Puts the lane on record and answers; whoever wants it ready calls `ensure`. @throws lane.exists, git.conflict */
  add(wanted: NewLane, opts: CallOptions): Promise<LaneView>;
  /** What `add` would do. Changes nothing. */
  planAdd(wanted: NewLane, opts: CallOptions): Promise<ApiPlan>;
  /** `deleteBranch` only deletes one whose work is in its base. @throws lane.would_lose_work without `force`, git.conflict */
  remove(
    id: string,
    opts: CallOptions & { readonly force: boolean; readonly deleteBranch: boolean },
  ): Promise<ApiRemovedLane>;
  /** As `list`, with a look at each worktree. */
  listWithGit(opts: CallOptions): Promise<readonly LaneView[]>;
  /** Lanes whose work is in their base. */
  prunable(opts: CallOptions): Promise<readonly ApiPrunableLane[]>;
  /** Removes images with packages that no lane wants; their names. @throws engine.unavailable */
  pruneImages(opts: CallOptions): Promise<readonly string[]>;
  /** What it takes on the disk; bounded in time. */
  diskOf(id: string, opts: CallOptions): Promise<ApiLaneDisk>;
  patch(id: string, change: SettingsChange, opts: CallOptions): Awaitable<LaneView>;
  /** Resolves when ready or failed, at the latest after `waitMs`. The hot path. */
  ensure(id: string, opts: WaitOptions): Promise<LaneView>;
  /** As `ensure`, but a failed lane is tried again. */
  start(id: string, opts: WaitOptions): Promise<LaneView>;
  stop(id: string, opts: WaitOptions): Promise<LaneView>;
  restart(id: string, opts: WaitOptions & { readonly now: boolean }): Promise<LaneView>;
  /** Brings lane and host to the same commits. @throws lane.not_ready, git.refused */
  sync(id: string, opts: CallOptions): Promise<LaneView>;
  /** At once with `now`, else when the running job has ended. */
  recreate(id: string, opts: WaitOptions & { readonly now: boolean }): Promise<LaneView>;
  /** What would be done for an intent. Changes nothing. */
  plan(id: string, intent: PlanIntent, opts: CallOptions): Promise<ApiPlan>;
  drift(id: string, opts: CallOptions): Awaitable<ApiDrift>;
  /** Newest last. */
  history(id: string, opts: CallOptions & { readonly limit: number }): Awaitable<readonly LaneHistoryEntry[]>;
  /** How the engine's own CLI runs something in the lane. @throws lane.not_ready */
  execPlan(id: string, request: ExecRequest, opts: CallOptions): Awaitable<ApiExecPlan>;
  /** The last lines of the container's own output; empty without a container. */
  containerLogs(
    id: string,
    opts: CallOptions & { readonly lines: number },
  ): Promise<{ readonly container: string | null; readonly lines: readonly string[] }>;
}

/** What a lane has changed, and where it goes. Ids are those of lanes on record. */
export interface LaneGitService {
  /** Against the lane's base, with uncommitted work. @throws usage.invalid, lane.worktree_missing, git.failed, timeout */
  diff(
    id: string,
    query: {
      /** Another ref to compare with. */
      readonly base?: string | undefined;
      readonly path?: string | undefined;
      /** Only the list of files. */
      readonly stat: boolean;
      /** Binary files whole in the patch. */
      readonly binary: boolean;
    },
    opts: CallOptions,
  ): Promise<ApiLaneDiff>;
  /** Takes the lane's commits over first. @throws git.conflict, git.flagged, lane.not_ready, usage.invalid */
  merge(id: string, wanted: MergeLane, opts: CallOptions): Promise<ApiLaneMerge>;
}
