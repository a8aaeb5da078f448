import { renderDuration } from "../base/index.ts";
import { type AgentUsage, isTerminal, type Job, type JobLogEvent, type JobState } from "../job/index.ts";
import {
  containerOf,
  type LaneHistoryEntry,
  type LaneState,
  type Workspace,
  type WorkspaceSettings,
} from "../lane/index.ts";
import type {
  ApiFeedEntry,
  ApiHistoryEntry,
  ApiJob,
  ApiJobEvent,
  ApiLane,
  ApiPlan,
  ApiRepository,
  ApiWorkspace,
} from "../protocol/index.ts";
import { isDestructive, type Plan, renderStep } from "../reconcile/index.ts";
import type { AskedView, LaneMakingView, LaneView } from "./lane-ports.ts";
import type { FeedEntry, JobService, JobWait } from "./ports.ts";

/** Domain values as they cross the wire: times become ISO 8601, tagged unions become flat fields. */

const iso = (ms: number): string => new Date(ms).toISOString();
const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));

/** A lane; `workspace` is the workspace's id. */
export function toApiLane(view: LaneView): ApiLane {
  const { lane, state, container } = view;
  return {
    id: lane.id,
    name: lane.name,
    workspace: lane.workspaceId,
    branch: lane.branch,
    worktree: lane.worktree,
    desired: lane.desired,
    state: state.phase,
    cause: "cause" in state ? state.cause : (view.making?.cause ?? null),
    logTail: state.phase === "failed" ? [...state.logTail] : [],
    since: sinceOf(state),
    until: state.phase === "backoff" ? iso(state.untilMs) : null,
    generation: lane.generation,
    container: containerOf(state) ?? container?.id ?? null,
    containerName: view.containerName,
    startedAt: isoOrNull(container?.startedAtMs ?? null),
    workerPid: state.phase === "ready" ? state.workerPid : null,
    endpoint: "endpoint" in state ? state.endpoint : null,
    fingerprint: container?.labels?.fingerprint ?? null,
    drift: view.drift.map(({ part, field, was, is }) => ({ part, field, was, is })),
    agent: lane.settings.agent ?? view.making?.agent ?? null,
    settings: { ...lane.settings },
    ...(view.making && { ...toApiMaking(view.making) }),
    job: view.job,
    queued: view.queued,
    git: view.git,
    ...(view.notices === undefined ? {} : { notices: [...view.notices] }),
    credentials: view.credentials,
    createdAt: iso(lane.createdAtMs),
  };
}

function toApiMaking({ ports, setup, repository }: LaneMakingView): Pick<ApiLane, "ports" | "setup" | "repository"> {
  const { commit, error, asked } = repository;
  return { ports: [...ports], setup, repository: { commit, error, asked: toApiAsked(asked) } };
}

/** What a repository asks for. */
export function toApiAsked(asked: AskedView | null): ApiRepository["asked"] {
  return asked && { ...asked, fields: asked.fields.map((field) => ({ ...field })) };
}

function sinceOf(state: LaneState): string | null {
  return "atMs" in state ? iso(state.atMs) : null;
}

/** A repository with the number of its lanes. */
export function toApiWorkspace(workspace: Workspace, lanes: number, settings: WorkspaceSettings): ApiWorkspace {
  const { id, name, path } = workspace;
  return { id, name, path, lanes, settings: { ...settings }, createdAt: iso(workspace.createdAtMs) };
}

/** A line of a lane's history. */
export function toApiHistoryEntry(entry: LaneHistoryEntry): ApiHistoryEntry {
  const { atMs, ...rest } = entry;
  return { ...rest, at: iso(atMs) };
}

/** A plan of the supervisor, for the implementers of `LaneService.plan`. */
export function toApiPlan(laneId: string, plan: Plan): ApiPlan {
  const steps = plan.steps.map((step) => ({
    op: step.op,
    text: renderStep(step),
    destructive: isDestructive(step),
    cause: step.cause,
  }));
  return { lane: laneId, steps };
}

/** What is shown of a job beside its record: see `JobService`. */
export interface JobSurroundings {
  readonly wait: JobWait | null;
  readonly files: ApiJob["files"];
  readonly session: string | null;
  readonly git: ReturnType<JobService["gitOf"]>;
  readonly summary: string | null;
  readonly question: string | null;
  readonly progress: ReturnType<JobService["progressOf"]>;
}

/** A job. `laneName` is the lane's id where the lane is gone. */
export function toApiJob(job: Job, laneName: string, beside: JobSurroundings): ApiJob {
  const { state, spec } = job;
  const { work } = spec;
  const stuckForMs = beside.progress?.stuckForMs ?? null;
  const result = "result" in state ? state.result : null;
  return {
    id: job.id,
    lane: job.laneId,
    laneName,
    kind: work.kind,
    argv: work.kind === "command" ? [...work.argv] : null,
    prompt: work.kind === "prompt" ? work.prompt : null,
    agent: work.kind === "prompt" ? work.agent : null,
    state: state.phase,
    question: beside.question,
    detail:
      beside.wait?.detail ??
      detailOf(state) ??
      (beside.question === null ? null : "waits for an answer") ??
      (stuckForMs === null ? null : `no progress for ${renderDuration(stuckForMs)}`),
    waiting: beside.wait?.reason ?? null,
    lastProgressAt: isoOrNull(beside.progress?.lastAtMs ?? null),
    stuck: stuckForMs !== null,
    attempt: state.attempt,
    key: spec.key,
    priority: spec.priority,
    session: beside.session,
    exitCode: (isTerminal(state) ? result?.exitCode : null) ?? null,
    signal: result?.signal ?? null,
    truncated: result?.truncated ?? false,
    text: result?.agent?.text ?? beside.summary,
    summary: beside.summary,
    usage: usageOf(result?.agent?.usage ?? null),
    git: beside.git && { commits: [...beside.git.commits], uncommitted: [...beside.git.uncommitted] },
    error: errorOf(state),
    files: beside.files,
    createdAt: iso(job.createdAtMs),
    startedAt: isoOrNull(job.startedAtMs),
    endedAt: isTerminal(state) ? isoOrNull(job.endedAtMs) : null,
  };
}

function usageOf(usage: AgentUsage | null): ApiJob["usage"] {
  if (usage === null) return null;
  const { inputTokens, outputTokens, costUsd } = usage;
  return { inputTokens, outputTokens, costUsd };
}

function detailOf(state: JobState): string | null {
  if (state.phase === "queued") return state.waiting;
  if (state.phase === "running" && state.cancelling) return "being cancelled";
  if ("reachable" in state && !state.reachable) return "its worker is out of reach";
  if (state.phase === "cancelled" && state.forced) return "ended by force";
  return null;
}

function errorOf(state: JobState): ApiJob["error"] {
  if (state.phase === "lost") return { ...state.error };
  if (state.phase !== "failed") return null;
  const { stderrTail } = state.result;
  return stderrTail === "" ? { ...state.error } : { ...state.error, stderrTail };
}

/** An event of a job's log. */
export function toApiJobEvent(event: JobLogEvent): ApiJobEvent {
  const { atMs, ...rest } = event;
  return { ...rest, at: iso(atMs) };
}

/** An entry of the feed. */
export function toApiFeedEntry(entry: FeedEntry): ApiFeedEntry {
  const { atMs, ...rest } = entry;
  return { ...rest, at: iso(atMs) };
}
