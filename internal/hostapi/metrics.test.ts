import { describe, expect, it } from "vitest";
import { systemClock } from "../base/index.ts";
import type { Job, JobState } from "../job/index.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { FeedEntry } from "./ports.ts";
import { makeBench } from "./testing.ts";
import { AT_MS, makeJob, makeLane } from "./testing-values.ts";

const SECRET = "prompt-that-must-not-be-a-label";
const USAGE = { inputTokens: 100, outputTokens: 20, cacheReadTokens: 0, costUsd: 0.5 };

/** Samples of a text exposition by name and labels, parsed as strictly as a scraper does. @throws for what is none */
function parse(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
    if (type?.[1] !== undefined) typed.add(type[1]);
    if (line === "" || line.startsWith("# ")) continue;
    const sample = /^(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[\d.e+-]+|NaN|[+-]Inf)$/.exec(line);
    const family = sample?.[1]?.replace(/_(bucket|sum|count)$/, "") ?? "";
    if (sample === null || !(typed.has(family) || typed.has(sample[1] ?? ""))) throw new Error(`no sample: ${line}`);
    samples.set(`${sample[1]}${sample[2] ? `{${sample[2]}}` : ""}`, Number(sample[3]));
  }
  return samples;
}

function makeScene() {
  const jobs = new Map<string, Job>();
  const entries: FeedEntry[] = [];
  const listeners = new Set<() => void>();
  const { ports } = makeBench();
  const lanes = [makeLane({ settings: { ...makeLane().settings, agent: "claude" } })];
  const metrics: Metrics = createMetrics({
    ports: {
      ...ports,
      lanes: { ...ports.lanes, findLane: (id) => lanes.find((lane) => lane.id === id) ?? null },
      inbox: { ...ports.inbox, countOpen: () => 3 },
      feed: {
        readAfter: (seq, limit) => entries.filter((entry) => entry.seq > seq).slice(0, limit),
        latest: () => entries.length,
        oldest: () => 1,
        subscribe: (fn) => {
          listeners.add(fn);
          return () => listeners.delete(fn);
        },
      },
    },
    source: {
      lanes: () => [
        { state: "ready", driftedParts: ["limits", "limits", "image"] },
        { state: "ready", driftedParts: [] },
        { state: "failed", driftedParts: [] },
      ],
      jobsByState: () => ({ queued: 4, running: 1 }),
      findJob: (id) => jobs.get(id) ?? null,
      oldestOpenItemAtMs: () => systemClock.nowMs() - 60_000,
    },
    clock: systemClock,
    version: "1.2.3",
    onError: (error) => {
      throw error;
    },
  });
  const happens = (type: string, data: Record<string, unknown> = {}, job: string | null = null) => {
    entries.push({ seq: entries.length + 1, atMs: AT_MS + 2000, type, lane: "demo-1111111111", job, data });
    for (const fn of listeners) fn();
  };
  return {
    metrics,
    jobs,
    happens,
    listeners,
    /** Everything that happened is counted. */
    async scrape() {
      // It is counted in pages, each a turn of the loop later.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      return parse(await metrics.render());
    },
  };
}

const prompt = (id: string, state: JobState, agent: string | null = null): Job => {
  const { spec } = makeJob();
  const work = { kind: "prompt" as const, prompt: SECRET, agent, session: "new" };
  return makeJob({ id, spec: { ...spec, work }, startedAtMs: AT_MS + 2000, endedAtMs: AT_MS + 5000 }, state);
};
const agentResult = { session: null, text: SECRET, usage: USAGE, final: null };
const result = { exitCode: 0, signal: null, stderrTail: SECRET, truncated: false, agent: agentResult };

describe("metrics", () => {
  it("are read from state at each scrape", async () => {
    const samples = await makeScene().scrape();
    expect(samples.get('lanekeeper_build_info{version="1.2.3"}')).toBe(1);
    expect(samples.get('lanekeeper_lanes{state="ready"}')).toBe(2);
    expect(samples.get('lanekeeper_lanes{state="backoff"}')).toBe(0);
    expect(samples.get('lanekeeper_lanes_drifted{part="limits"}')).toBe(1);
    expect(samples.get('lanekeeper_jobs{state="queued"}')).toBe(4);
    expect(samples.get("lanekeeper_inbox_open_items")).toBe(3);
    expect(samples.get("lanekeeper_inbox_oldest_open_age_seconds")).toBeCloseTo(60, 0);
    expect(samples.get('lanekeeper_credential_expiry_seconds{agent="claude"}')).toBeLessThan(0);
    expect(samples.get("lanekeeper_process_resident_memory_bytes")).toBeGreaterThan(1e6);
  });

  it("count what the feed tells, each thing once", async () => {
    const { happens, scrape } = makeScene();
    const drift = { code: "drift" };
    happens("lane.create", { generation: 1 });
    happens("lane.create", { generation: 2 });
    happens("lane.restart", { generation: 3 });
    happens("lane.proven", { from: "probing" });
    happens("lane.silent", { from: "ready" });
    happens("lane.proven", { from: "unready" });
    happens("lane.drain", { from: "ready", cause: drift });
    happens("lane.stop", { from: "draining", cause: drift });
    happens("lane.stop", { from: "ready", cause: drift });
    happens("lane.stop", { from: "ready", cause: { code: "user_stop" } });
    happens("lane.drift:held", { cause: drift });
    const samples = await scrape();
    expect(samples.get("lanekeeper_container_generations_total")).toBe(2);
    expect(samples.get("lanekeeper_container_restarts_total")).toBe(2);
    expect(samples.get("lanekeeper_worker_reconnects_total")).toBe(1);
    expect(samples.get("lanekeeper_drift_found_total")).toBe(3);
  });

  it("count jobs by agent and outcome, with wait, duration, tokens and money", async () => {
    const { jobs, happens, scrape } = makeScene();
    jobs.set("a", prompt("a", { phase: "succeeded", attempt: 1, result }));
    jobs.set("b", prompt("b", { phase: "lost", attempt: 1, error: { code: "spool_lost", message: SECRET } }, SECRET));
    jobs.set("c", makeJob({ id: "c" }, { phase: "cancelled", attempt: 0, result: null, forced: false }));
    happens("job.running", { attempt: 1 }, "a");
    happens("job.running", { attempt: 2 }, "a");
    happens("job.succeeded", { attempt: 1 }, "a");
    happens("job.lost", { attempt: 1 }, "b");
    happens("job.cancelled", {}, "c");
    happens("job.failed", {}, "gone");
    const samples = await scrape();
    const of = (name: string, labels: string) => samples.get(`lanekeeper_${name}{${labels}}`);
    expect(of("jobs_ended_total", 'agent="claude",outcome="succeeded"')).toBe(1);
    expect(of("jobs_ended_total", 'agent="other",outcome="lost"')).toBe(1);
    expect(of("jobs_ended_total", 'agent="command",outcome="cancelled"')).toBe(1);
    expect(of("job_wait_seconds_sum", 'agent="claude"')).toBe(2);
    expect(of("job_wait_seconds_count", 'agent="claude"')).toBe(1);
    expect(of("job_wait_seconds_bucket", 'le="1",agent="claude"')).toBe(0);
    expect(of("job_wait_seconds_bucket", 'le="10",agent="claude"')).toBe(1);
    expect(of("job_duration_seconds_sum", 'agent="claude",outcome="succeeded"')).toBe(3);
    expect(of("tokens_total", 'agent="claude",direction="input"')).toBe(100);
    expect(of("tokens_total", 'agent="claude",direction="output"')).toBe(20);
    expect(of("cost_usd_total", 'agent="claude"')).toBe(0.5);
    expect([...samples.keys()].join("\n")).not.toMatch(/prompt-that|demo|src|01job/);
  });

  it("catch up with a burst that is longer than a page, and let go of the feed", async () => {
    const { happens, scrape, metrics, listeners } = makeScene();
    for (let i = 0; i < 1000; i++) happens("lane.create", { generation: 1 });
    expect((await scrape()).get("lanekeeper_container_generations_total")).toBe(1000);
    metrics[Symbol.dispose]();
    expect(listeners.size).toBe(0);
  });

  it("are two apart for two daemons", async () => {
    const [one, other] = [makeScene(), makeScene()];
    one.happens("lane.create", { generation: 1 });
    expect((await one.scrape()).get("lanekeeper_container_generations_total")).toBe(1);
    expect((await other.scrape()).get("lanekeeper_container_generations_total")).toBe(0);
  });

  it("tell the latency of each route as it is written down, with its status", async () => {
    const bench = makeBench();
    await bench.request("GET", "/v1/lanes/demo");
    await bench.request("GET", "/v1/lanes/nope");
    await bench.request("POST", "/v1/lanes/demo/ensure");
    const answer = await bench.request("GET", "/metrics");
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = parse(await answer.text());
    const count = (route: string, method: string, status: number) =>
      samples.get(`lanekeeper_api_request_seconds_count{route="${route}",method="${method}",status="${status}"}`);
    expect(count("/v1/lanes/{id}", "GET", 200)).toBe(1);
    expect(count("/v1/lanes/{id}", "GET", 404)).toBe(1);
    expect(count("/v1/lanes/{id}/ensure", "POST", 200)).toBe(1);
    expect([...samples.keys()].join("\n")).not.toMatch(/demo|nope/);
  });
});
