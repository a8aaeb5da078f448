import type {
  AddLane,
  AddWorkspace,
  ApiAgent,
  ApiAgentVersion,
  ApiCloneProgress,
  ApiCredential,
  ApiDrift,
  ApiExecPlan,
  ApiFeedEntry,
  ApiHistoryEntry,
  ApiJob,
  ApiJobEvent,
  ApiLane,
  ApiLaneConfig,
  ApiLaneDiff,
  ApiLaneDisk,
  ApiLaneLogs,
  ApiLaneMerge,
  ApiLoginCode,
  ApiPlan,
  ApiPrunableLane,
  ApiPrunedImages,
  ApiReadiness,
  ApiRefreshedCredential,
  ApiRemovedLane,
  ApiRepository,
  ApiShutdown,
  ApiStatus,
  ApiWorkspace,
  ApproveRepository,
  InstallAgent,
  MergeLane,
  PatchLane,
  PatchWorkspace,
  PlanIntent,
  SetupLane,
  SubmitJob,
  UseAgent,
} from "../protocol/index.ts";
import type { CallInit, Client, Protocol } from "./client.ts";
import { createInboxApi, type InboxApi } from "./inbox-api.ts";
import type { SseMessage } from "./sse.ts";

/** A lane as the caller named it: id, name or unique prefix, and the workspace to prefer. */
export interface LaneRef {
  readonly ref: string;
  readonly workspace: string | undefined;
}

/** Acts on a lane's container; `start` and `ensure` wait until it is ready or failed. */
export type LaneAct = "ensure" | "start" | "stop" | "restart" | "recreate";

/** The routes of the host API, one method each. All may throw what {@link Client} throws. */
export interface Api extends InboxApi {
  readyz(opts: Waits): Promise<ApiReadiness>;
  status(opts?: Waits): Promise<ApiStatus>;
  shutdown(): Promise<ApiShutdown>;
  /** The page's address with a one-time code. */
  issueLoginCode(): Promise<ApiLoginCode>;
  listWorkspaces(): Promise<readonly ApiWorkspace[]>;
  addWorkspace(body: AddWorkspace): Promise<ApiWorkspace>;
  listClones(opts: Waits): Promise<readonly ApiCloneProgress[]>;
  patchWorkspace(id: string, body: PatchWorkspace): Promise<ApiWorkspace>;
  removeWorkspace(id: string): Promise<void>;
  showRepository(workspace: string, base: string | undefined): Promise<ApiRepository>;
  approveRepository(workspace: string, body: ApproveRepository): Promise<ApiRepository>;
  listAgents(): Promise<readonly ApiAgent[]>;
  installAgent(body: InstallAgent): Promise<ApiAgentVersion>;
  useAgent(agent: string, body: UseAgent): Promise<ApiAgent>;
  removeAgent(agent: string, version: string): Promise<void>;
  listCredentials(): Promise<readonly ApiCredential[]>;
  refreshCredential(agent: string): Promise<ApiRefreshedCredential>;
  /** `git`: with how each stands in git, which takes a moment. */
  listLanes(opts?: { readonly git: boolean }): Promise<readonly ApiLane[]>;
  listPrunable(): Promise<readonly ApiPrunableLane[]>;
  pruneImages(): Promise<ApiPrunedImages>;
  diskOfLane(lane: LaneRef): Promise<ApiLaneDisk>;
  addLane(body: AddLane): Promise<ApiLane>;
  planAddLane(body: AddLane): Promise<ApiPlan>;
  showLane(lane: LaneRef, opts?: Waits): Promise<ApiLane>;
  patchLane(lane: LaneRef, body: PatchLane): Promise<ApiLane>;
  removeLane(
    lane: LaneRef,
    opts: { readonly force: boolean; readonly deleteBranch?: boolean | undefined },
  ): Promise<ApiRemovedLane>;
  /** `waitMs`: how long the daemon may wait for the outcome before it answers with the state it has then. */
  actOnLane(
    lane: LaneRef,
    act: LaneAct,
    opts: Waits & { readonly waitMs?: number | undefined; readonly now?: boolean | undefined },
  ): Promise<ApiLane>;
  syncLane(lane: LaneRef, opts?: Waits): Promise<ApiLane>;
  diffLane(lane: LaneRef, query: DiffQuery): Promise<ApiLaneDiff>;
  mergeLane(lane: LaneRef, body: MergeLane): Promise<ApiLaneMerge>;
  configOfLane(lane: LaneRef): Promise<ApiLaneConfig>;
  setUpLane(lane: LaneRef, body: SetupLane): Promise<ApiLane>;
  planLane(lane: LaneRef, intent: PlanIntent): Promise<ApiPlan>;
  driftOfLane(lane: LaneRef): Promise<ApiDrift>;
  historyOfLane(lane: LaneRef, limit: number): Promise<readonly ApiHistoryEntry[]>;
  logsOfLane(lane: LaneRef, lines: number): Promise<ApiLaneLogs>;
  planExec(lane: LaneRef, body: { readonly tty: boolean; readonly argv: readonly string[] }): Promise<ApiExecPlan>;
  listJobs(limit: number): Promise<readonly ApiJob[]>;
  listLaneJobs(lane: LaneRef, limit: number): Promise<readonly ApiJob[]>;
  submitJob(lane: LaneRef, body: SubmitJob, opts?: Waits): Promise<ApiJob>;
  showJob(id: string, opts?: Waits): Promise<ApiJob>;
  cancelJob(id: string, opts?: Waits): Promise<ApiJob>;
  retryJob(id: string): Promise<ApiJob>;
  listJobEvents(id: string, opts: { readonly after: number; readonly limit: number }): Promise<readonly ApiJobEvent[]>;
  /** Events after `after`, until the daemon ends the stream after the last one of an ended job. */
  followJobEvents(id: string, opts: Waits & { readonly after: number }): AsyncGenerator<ApiJobEvent, void>;
  listFeed(opts: { readonly after: number; readonly limit: number }): Promise<readonly ApiFeedEntry[]>;
  /** The installation's feed from now, or after `after`. A `gap` says that entries are gone. */
  followFeed(opts: Waits & { readonly after: number | undefined }): AsyncGenerator<FeedMessage, void>;
}

/** One message of the feed. A gap: what came before entry `to` is gone, and the feed goes on after it. */
export type FeedMessage =
  | { readonly kind: "entry"; readonly entry: ApiFeedEntry }
  | { readonly kind: "gap"; readonly to: number };

/** What of a lane's changes is wanted. */
export interface DiffQuery {
  readonly stat?: boolean | undefined;
  readonly binary?: boolean | undefined;
  readonly base?: string | undefined;
  readonly path?: string | undefined;
}

interface Waits {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** The daemon sends a heartbeat every 15 s; three missed ones mean that it hangs. */
const STREAM_IDLE_MS = 50_000;
/** What the daemon may take beyond the wait it was asked for. */
const WAIT_SLACK_MS = 30_000;
/** A job is ended first, with its grace; then container, network, volume and worktree go. */
const REMOVE_BUDGET_MS = 300_000;
/** The daemon gives a clone two hours. */
const CLONE_BUDGET_MS = 2 * 3_600_000 + WAIT_SLACK_MS;
/** A sync command has a minute. */
const REFRESH_BUDGET_MS = 90_000;
/** The daemon gives a large bundle ten minutes. */
const SYNC_BUDGET_MS = 630_000;
/** Each call of git has a minute. */
const DIFF_BUDGET_MS = 180_000;
/** The lane's commits come first; then large trees are merged and checked out. */
const MERGE_BUDGET_MS = 600_000;
/** The daemon gives npm ten minutes; then all of it is read once and forced to the disk. */
const INSTALL_BUDGET_MS = 900_000;

/** Words the routes over a client. */
export function createApi(client: Client, loadProtocol: () => Promise<Protocol>): Api {
  const at = ({ ref }: LaneRef, rest = "") => `/v1/lanes/${encodeURIComponent(ref)}${rest}`;
  const job = (id: string, rest = "") => `/v1/jobs/${encodeURIComponent(id)}${rest}`;
  const workspaceAt = (id: string, rest = "") => `/v1/workspaces/${encodeURIComponent(id)}${rest}`;
  const agentAt = (agent: string) => `/v1/agents/${encodeURIComponent(agent)}`;
  const post = (body?: unknown): CallInit => ({ method: "POST", body });
  const prefer = ({ workspace }: LaneRef) => ({ workspace });

  return {
    ...createInboxApi(client),
    readyz: (opts) => client.call("/readyz", (p) => p.readinessSchema, { accept: 503, ...opts }),
    status: (opts) => client.call("/v1/status", (p) => p.statusSchema, opts),
    shutdown: () => client.call("/v1/shutdown", (p) => p.shutdownSchema, post()),
    issueLoginCode: () => client.call("/v1/login-codes", (p) => p.loginCodeSchema, post()),

    listWorkspaces: () => client.call("/v1/workspaces", (p) => p.workspaceSchema.array()),
    addWorkspace: (body) =>
      client.call("/v1/workspaces", (p) => p.workspaceSchema, { ...post(body), timeoutMs: CLONE_BUDGET_MS }),
    listClones: (opts) => client.call("/v1/clones", (p) => p.cloneProgressSchema.array(), opts),
    patchWorkspace: (id, body) => client.call(workspaceAt(id), (p) => p.workspaceSchema, { method: "PATCH", body }),
    showRepository: (id, base) =>
      client.call(workspaceAt(id, "/repository"), (p) => p.repositorySchema, { query: { base } }),
    approveRepository: (id, body) => client.call(workspaceAt(id, "/approve"), (p) => p.repositorySchema, post(body)),
    removeWorkspace: (id) => client.send(workspaceAt(id), { method: "DELETE" }),

    listAgents: () => client.call("/v1/agents", (p) => p.agentSchema.array()),
    installAgent: (body) =>
      client.call("/v1/agents", (p) => p.agentVersionSchema, { ...post(body), timeoutMs: INSTALL_BUDGET_MS }),
    useAgent: (agent, body) => client.call(agentAt(agent), (p) => p.agentSchema, { method: "PATCH", body }),
    removeAgent: (agent, version) => client.send(agentAt(agent), { method: "DELETE", query: { version } }),

    listCredentials: () => client.call("/v1/credentials", (p) => p.credentialSchema.array()),
    refreshCredential: (agent) =>
      client.call(`/v1/credentials/${encodeURIComponent(agent)}/refresh`, (p) => p.refreshedCredentialSchema, {
        ...post(),
        timeoutMs: REFRESH_BUDGET_MS,
      }),

    listLanes: (opts) =>
      client.call("/v1/lanes", (p) => p.laneSchema.array(), { query: { git: opts?.git ? 1 : undefined } }),
    listPrunable: () =>
      client.call("/v1/prunable", (p) => p.prunableLaneSchema.array(), { timeoutMs: REMOVE_BUDGET_MS }),
    pruneImages: () =>
      client.call("/v1/images/prune", (p) => p.prunedImagesSchema, { ...post(), timeoutMs: REMOVE_BUDGET_MS }),
    diskOfLane: (lane) => client.call(at(lane, "/disk"), (p) => p.laneDiskSchema, { query: prefer(lane) }),
    addLane: (body) => client.call("/v1/lanes", (p) => p.laneSchema, post(body)),
    planAddLane: (body) => client.call("/v1/lanes", (p) => p.planSchema, post({ ...body, dryRun: true })),
    showLane: (lane, opts) => client.call(at(lane), (p) => p.laneSchema, { query: prefer(lane), ...opts }),
    patchLane: (lane, body) =>
      client.call(at(lane), (p) => p.laneSchema, { method: "PATCH", query: prefer(lane), body }),
    removeLane: (lane, { force, deleteBranch }) =>
      client.call(at(lane), (p) => p.removedLaneSchema, {
        method: "DELETE",
        query: { ...prefer(lane), force: force ? 1 : undefined, deleteBranch: deleteBranch ? 1 : undefined },
        timeoutMs: REMOVE_BUDGET_MS,
      }),
    actOnLane: (lane, act, { waitMs, now, ...opts }) =>
      client.call(at(lane, `/${act}`), (p) => p.laneSchema, {
        ...post(),
        query: { ...prefer(lane), wait: waitMs, now: now ? 1 : undefined },
        timeoutMs: (waitMs ?? 120_000) + WAIT_SLACK_MS,
        ...opts,
      }),
    syncLane: (lane, opts) =>
      client.call(at(lane, "/sync"), (p) => p.laneSchema, {
        ...post(),
        query: prefer(lane),
        timeoutMs: SYNC_BUDGET_MS,
        ...opts,
      }),
    configOfLane: (lane) => client.call(at(lane, "/config"), (p) => p.laneConfigSchema, { query: prefer(lane) }),
    setUpLane: (lane, body) =>
      client.call(at(lane, "/setup"), (p) => p.laneSchema, { ...post(body), query: prefer(lane) }),
    diffLane: (lane, { stat, binary, base, path }) =>
      client.call(at(lane, "/diff"), (p) => p.laneDiffSchema, {
        query: { ...prefer(lane), stat: stat ? 1 : undefined, binary: binary ? 1 : undefined, base, path },
        timeoutMs: DIFF_BUDGET_MS,
      }),
    mergeLane: (lane, body) =>
      client.call(at(lane, "/merge"), (p) => p.laneMergeSchema, {
        ...post(body),
        query: prefer(lane),
        timeoutMs: MERGE_BUDGET_MS,
      }),
    planLane: (lane, intent) =>
      client.call(at(lane, "/plan"), (p) => p.planSchema, { query: { ...prefer(lane), intent } }),
    driftOfLane: (lane) => client.call(at(lane, "/drift"), (p) => p.driftSchema, { query: prefer(lane) }),
    historyOfLane: (lane, limit) =>
      client.call(at(lane, "/history"), (p) => p.historyEntrySchema.array(), { query: { ...prefer(lane), limit } }),
    logsOfLane: (lane, lines) =>
      client.call(at(lane, "/logs"), (p) => p.laneLogsSchema, { query: { ...prefer(lane), lines } }),
    planExec: (lane, body) =>
      client.call(at(lane, "/exec-plan"), (p) => p.execPlanSchema, { ...post(body), query: prefer(lane) }),

    listJobs: (limit) => client.call("/v1/jobs", (p) => p.jobSchema.array(), { query: { limit } }),
    listLaneJobs: (lane, limit) =>
      client.call(at(lane, "/jobs"), (p) => p.jobSchema.array(), { query: { ...prefer(lane), limit } }),
    submitJob: (lane, body, opts) =>
      client.call(at(lane, "/jobs"), (p) => p.jobSchema, { ...post(body), query: prefer(lane), ...opts }),
    showJob: (id, opts) => client.call(job(id), (p) => p.jobSchema, opts),
    cancelJob: (id, opts) => client.call(job(id, "/cancel"), (p) => p.jobSchema, { ...post(), ...opts }),
    retryJob: (id) => client.call(job(id, "/retry"), (p) => p.jobSchema, post()),
    listJobEvents: (id, query) => client.call(job(id, "/events"), (p) => p.jobEventSchema.array(), { query }),
    async *followJobEvents(id, { after, ...opts }) {
      const init = { query: { after, follow: 1 }, idleMs: STREAM_IDLE_MS, ...opts };
      const { jobEventSchema } = await loadProtocol();
      for await (const message of client.stream(job(id, "/events"), init)) {
        yield jobEventSchema.parse(JSON.parse(message.data));
      }
    },

    listFeed: ({ after, limit }) =>
      client.call("/v1/events", (p) => p.feedEntrySchema.array(), { query: { after, limit, follow: 0 } }),
    async *followFeed({ after, ...opts }) {
      const protocol = await loadProtocol();
      for await (const message of client.stream("/v1/events", { lastId: after, idleMs: STREAM_IDLE_MS, ...opts })) {
        yield toFeedMessage(message, protocol);
      }
    },
  };
}

function toFeedMessage(message: SseMessage, { feedEntrySchema, feedGapSchema }: Protocol): FeedMessage {
  const value: unknown = JSON.parse(message.data);
  if (message.event === "gap") return { kind: "gap", to: feedGapSchema.parse(value).to };
  return { kind: "entry", entry: feedEntrySchema.parse(value) };
}
