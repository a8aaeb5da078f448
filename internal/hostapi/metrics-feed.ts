import type { Counter, Histogram } from "prom-client";
import type { Job } from "../job/index.ts";
import type { FeedEntry, HostApiPorts, MetricsSource } from "./ports.ts";

/** What the feed's entries are counted with. */
export interface FeedCountDeps {
  readonly ports: Pick<HostApiPorts, "feed" | "lanes" | "agents">;
  readonly source: MetricsSource;
  /** Hears of what could not be counted. */
  readonly onError: (error: unknown) => void;
}

/** Makes metrics in the daemon's registry. */
export interface MetricMakers {
  counter<L extends string>(name: string, help: string, labels: readonly L[]): Counter<L>;
  histogram<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    buckets: readonly number[],
  ): Histogram<L>;
}

/** Entries read at once. */
const PAGE = 256;
const JOB_BUCKETS = [0.1, 1, 10, 60, 300, 1800, 7200, 43_200];
const ENDS: readonly string[] = ["job.succeeded", "job.failed", "job.cancelled", "job.lost"];

/**
 * Counts what happens from now on, as the feed tells it: a little later and in pages, so that whoever appends to the
 * feed never waits for it. Returns the way out.
 */
export function countFeed(deps: FeedCountDeps, makers: MetricMakers): () => void {
  const count = { ...defineLaneCounters(makers), ...defineJobCounters(deps, makers) };
  const { feed } = deps.ports;
  let last = feed.latest();
  let due: NodeJS.Immediate | null = null;
  const read = () => {
    due = null;
    try {
      for (const entry of feed.readAfter(last, PAGE)) {
        last = entry.seq;
        if (entry.type.startsWith("lane.")) count.lane(entry);
        else if (entry.type.startsWith("job.")) count.job(entry);
      }
      if (feed.latest() > last) hear();
    } catch (error) {
      deps.onError(error);
    }
  };
  const hear = () => {
    due ??= setImmediate(read);
  };
  const unsubscribe = feed.subscribe(hear);
  return () => {
    unsubscribe();
    if (due !== null) clearImmediate(due);
  };
}

function defineLaneCounters({ counter }: MetricMakers) {
  const generations = counter("container_generations_total", "Containers that were made for lanes.", []);
  const restarts = counter(
    "container_restarts_total",
    "Containers that were made or started again in place of another.",
    [],
  );
  const drifts = counter(
    "drift_found_total",
    "How often a lane's container was found to differ from what is wanted.",
    [],
  );
  const reconnects = counter("worker_reconnects_total", "How often a worker that had gone silent was back.", []);
  return {
    lane({ type, data }: FeedEntry): void {
      const { generation, from } = data;
      if (type === "lane.create") generations.inc();
      if (type === "lane.restart" || (type === "lane.create" && Number(generation) > 1)) restarts.inc();
      if (type === "lane.proven" && from === "unready") reconnects.inc();
      // A drain for drift is followed by the stop it waited for.
      const found =
        type === "lane.drain" || type === "lane.drift:held" || (type === "lane.stop" && from !== "draining");
      if (found && codeOf(data.cause) === "drift") drifts.inc();
    },
  };
}

function codeOf(cause: unknown): unknown {
  return typeof cause === "object" && cause !== null && "code" in cause ? cause.code : null;
}

function defineJobCounters({ ports, source }: FeedCountDeps, { counter, histogram }: MetricMakers) {
  const ended = counter("jobs_ended_total", "Attempts at jobs by agent and outcome.", ["agent", "outcome"]);
  const tokens = counter("tokens_total", "Tokens that agents say they have used.", ["agent", "direction"]);
  const cost = counter("cost_usd_total", "Money that agents say they have spent, in US dollars.", ["agent"]);
  const waits = histogram("job_wait_seconds", "Time from a job's submission to its start.", ["agent"], JOB_BUCKETS);
  const durations = histogram("job_duration_seconds", "Time from start to end.", ["agent", "outcome"], JOB_BUCKETS);

  /** The agent's name, where it is one of ours; `command` for what needs none. */
  const agentOf = ({ spec: { work }, laneId }: Job): string => {
    if (work.kind === "command") return "command";
    const name = work.agent ?? ports.lanes.findLane(laneId)?.settings.agent ?? null;
    return ports.agents.list().find(({ agent }) => agent === name)?.agent ?? "other";
  };

  const onEnd = (job: Job, outcome: string) => {
    const agent = agentOf(job);
    ended.inc({ agent, outcome });
    const { startedAtMs, endedAtMs, state } = job;
    if (startedAtMs !== null && endedAtMs !== null) {
      durations.observe({ agent, outcome }, (endedAtMs - startedAtMs) / 1000);
    }
    const usage = "result" in state ? (state.result?.agent?.usage ?? null) : null;
    if (usage === null) return;
    tokens.inc({ agent, direction: "input" }, usage.inputTokens);
    tokens.inc({ agent, direction: "output" }, usage.outputTokens);
    if (usage.costUsd !== null) cost.inc({ agent }, usage.costUsd);
  };

  return {
    job({ type, job: id, atMs, data }: FeedEntry): void {
      const isStart = type === "job.running" && data.attempt === 1;
      if (id === null || !(isStart || ENDS.includes(type))) return;
      const job = source.findJob(id);
      if (job === null) return;
      if (isStart) waits.observe({ agent: agentOf(job) }, Math.max(0, atMs - job.createdAtMs) / 1000);
      else onEnd(job, type.slice("job.".length));
    },
  };
}
