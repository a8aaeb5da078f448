import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "../base/index.ts";
import { LANE_PHASES } from "../lane/index.ts";
import { countFeed, type FeedCountDeps } from "./metrics-feed.ts";
import type { HostApiPorts } from "./ports.ts";

/** What this process counts, as Prometheus reads it. Labels are words of ours: never a prompt, a path, an id or a name. */
export interface Metrics extends Disposable {
  readonly contentType: string;
  /** Text exposition: what can be read from state is read now. */
  render(): Promise<string>;
  /** A request was answered. `route` as it is written down, with its `{id}`. */
  answered(request: {
    readonly route: string;
    readonly method: string;
    readonly status: number;
    readonly ms: number;
  }): void;
}

/** What metrics are made from. */
export interface MetricsDeps extends FeedCountDeps {
  readonly ports: Pick<HostApiPorts, "feed" | "lanes" | "agents" | "credentials" | "inbox">;
  readonly clock: Clock;
  readonly version: string;
}

/** From the fastest answers to a container's start. */
const LATENCY_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

/** Starts counting, in a registry of its own. Disposing lets go of the feed. */
export function createMetrics(deps: MetricsDeps): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[], read: (g: Gauge<L>) => void) =>
    new Gauge<L>({
      name: `lanekeeper_${name}`,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset();
        read(this);
      },
    });
  gauge("build_info", "Always 1; the version is a label.", ["version"], (g) => g.set({ version: deps.version }, 1));
  defineLaneGauges(gauge, deps);
  defineWorkGauges(gauge, deps);
  gauge("process_resident_memory_bytes", "Memory of the daemon.", [], (g) => g.set(process.memoryUsage.rss()));
  const latency = new Histogram({
    name: "lanekeeper_api_request_seconds",
    help: "Time to the answer of a request, of a stream to its beginning.",
    labelNames: ["route", "method", "status"],
    buckets: LATENCY_BUCKETS,
    registers,
  });
  const stopCounting = countFeed(deps, {
    counter: (name, help, labelNames) =>
      new Counter({ name: `lanekeeper_${name}`, help, labelNames: [...labelNames], registers }),
    histogram: (name, help, labelNames, buckets) =>
      new Histogram({
        name: `lanekeeper_${name}`,
        help,
        labelNames: [...labelNames],
        buckets: [...buckets],
        registers,
      }),
  });
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    answered: ({ route, method, status, ms }) => latency.observe({ route, method, status }, ms / 1000),
    [Symbol.dispose]: stopCounting,
  };
}

type DefineGauge = <L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[],
  read: (gauge: Gauge<L>) => void,
) => Gauge<L>;

function defineLaneGauges(gauge: DefineGauge, { source }: MetricsDeps): void {
  gauge("lanes", "Lanes by state.", ["state"], (g) => {
    for (const state of LANE_PHASES) g.set({ state }, 0);
    for (const { state } of source.lanes()) g.inc({ state });
  });
  gauge(
    "lanes_drifted",
    "Lanes whose container differs from what is wanted, by part of the specification.",
    ["part"],
    (g) => {
      for (const { driftedParts } of source.lanes()) for (const part of new Set(driftedParts)) g.inc({ part });
    },
  );
}

function defineWorkGauges(gauge: DefineGauge, { source, ports, clock }: MetricsDeps): void {
  gauge("jobs", "Jobs on record by state; those queued are the queue's depth.", ["state"], (g) => {
    g.set({ state: "queued" }, 0);
    for (const [state, count] of Object.entries(source.jobsByState())) g.set({ state }, count);
  });
  gauge("inbox_open_items", "Items that wait for a person.", [], (g) => g.set(ports.inbox.countOpen()));
  gauge("inbox_oldest_open_age_seconds", "Age of the item that has waited longest; 0 when none waits.", [], (g) => {
    const sinceMs = source.oldestOpenItemAtMs();
    g.set(sinceMs === null ? 0 : Math.max(0, clock.nowMs() - sinceMs) / 1000);
  });
  gauge(
    "credential_expiry_seconds",
    "Time until an agent's present token ends; below 0 when it has ended. A login that is renewed by itself lives on.",
    ["agent"],
    (g) => {
      for (const { agent, expiresAt } of ports.credentials.list()) {
        if (expiresAt !== null) g.set({ agent }, (Date.parse(expiresAt) - clock.nowMs()) / 1000);
      }
    },
  );
  gauge("credentials", "Logins of agents by state.", ["agent", "state"], (g) => {
    for (const { agent, state } of ports.credentials.list()) g.set({ agent, state }, 1);
  });
}
