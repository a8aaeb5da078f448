import { AppError, systemClock } from "../base/index.ts";
import type { Job, JobLogEvent } from "../job/index.ts";
import { DEFAULT_WORKSPACE_SETTINGS, type Lane, NO_REPOSITORY_CONFIG } from "../lane/index.ts";
import { createHostApi, type HostApi } from "./host-api.ts";
import type { LaneView } from "./lane-ports.ts";
import { createMetrics } from "./metrics.ts";
import type { FeedEntry, HostApiPorts, JobService, RequestKeys } from "./ports.ts";
import type { PageFiles } from "./static.ts";
import {
  AGENT,
  AGENT_VERSION,
  AT_MS,
  CREDENTIAL,
  DISK,
  ITEM,
  makeJob,
  makeLane,
  makeView,
  REMOVED,
  WORKSPACES,
} from "./testing-values.ts";

/** In-memory ports and raw sockets, for tests of the host API only. */

export const TOKEN = "t".repeat(64);

/** Every call a port got: name and arguments, without the signal. */
export type Calls = (readonly [name: string, ...args: readonly unknown[]])[];

export interface Bench {
  readonly api: HostApi;
  readonly ports: HostApiPorts;
  readonly calls: Calls;
  readonly lanes: Lane[];
  readonly jobs: Job[];
  readonly jobEvents: JobLogEvent[];
  /** What jobs wait for, by id. */
  readonly waiting: Map<string, "memory" | "count">;
  /** How far running jobs are, by id. */
  readonly progress: Map<string, NonNullable<ReturnType<JobService["progressOf"]>>>;
  readonly feed: TestFeed;
  readonly logged: { readonly level: string; readonly fields: Record<string, unknown>; readonly message: string }[];
  readonly stop: AbortController;
  /** The next call of this name throws. */
  readonly fail: (name: string, error: unknown) => void;
  /** A call inside the process, as if over the unix socket. */
  readonly request: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Response>;
}

/** A feed in memory. */
export interface TestFeed {
  readonly entries: FeedEntry[];
  append(type: string): void;
  prune(upTo: number): void;
  subscribers(): number;
}

/** `more`: ports of a test's own; `page`: the page that it serves. */
export function makeBench(more: Partial<HostApiPorts> = {}, page?: PageFiles): Bench {
  const calls: Calls = [];
  const failures = new Map<string, unknown>();
  const lanes: Lane[] = [makeLane()];
  const jobs: Job[] = [];
  const jobEvents: JobLogEvent[] = [];
  const waiting = new Map<string, "memory" | "count">();
  const progress: Bench["progress"] = new Map();
  const logged: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  const stop = new AbortController();
  const { feed, port } = makeFeed();

  function note<T>(name: string, args: readonly unknown[], value: () => T): T {
    calls.push([name, ...args.map(withoutSignal)]);
    if (failures.has(name)) {
      const error = failures.get(name);
      failures.delete(name);
      throw error;
    }
    return value();
  }
  const later = async <T>(name: string, args: readonly unknown[], value: () => T): Promise<T> =>
    note(name, args, value);
  const viewOf = (id: string): LaneView => {
    const lane = lanes.find((one) => one.id === id);
    if (lane === undefined) throw new AppError({ code: "lane.not_found", message: `there is no lane ${id}` });
    return makeView(lane);
  };
  const jobOf = (id: string): Job => {
    const job = jobs.find((one) => one.id.startsWith(id));
    if (job === undefined) throw new AppError({ code: "job.not_found", message: `there is no job ${id}` });
    return job;
  };
  const verb =
    (name: string) =>
    (id: string, ...args: readonly unknown[]) =>
      later(name, [id, ...args], () => viewOf(id));
  const plan = {
    lane: "demo-1111111111",
    steps: [{ op: "create", text: "create", destructive: false, cause: { code: "absent", message: "it is absent" } }],
  };

  const ports: HostApiPorts = {
    workspaces: {
      list: () => WORKSPACES,
      add: (wanted, opts) => later("workspaces.add", [wanted, opts], () => WORKSPACES[0] ?? bug()),
      clones: () => note("workspaces.clones", [], () => []),
      remove: (id, opts) => later("workspaces.remove", [id, opts], () => undefined),
    },
    lanes: {
      lanes: () => lanes,
      findLane: (id) => lanes.find((lane) => lane.id === id) ?? null,
      list: (opts) => note("lanes.list", [opts], () => lanes.map((lane) => makeView(lane))),
      get: (id, opts) => note("lanes.get", [id, opts], () => viewOf(id)),
      add: (wanted, opts) => later("lanes.add", [wanted, opts], () => makeView(makeLane({ name: wanted.name }))),
      planAdd: (wanted, opts) => later("lanes.planAdd", [wanted, opts], () => plan),
      remove: (id, opts) => later("lanes.remove", [id, opts], () => REMOVED),
      listWithGit: (opts) => later("lanes.listWithGit", [opts], () => lanes.map((lane) => makeView(lane))),
      prunable: (opts) => later("lanes.prunable", [opts], () => []),
      pruneImages: (opts) => later("lanes.pruneImages", [opts], () => []),
      diskOf: (id, opts) => later("lanes.diskOf", [id, opts], () => ({ ...DISK, lane: id })),
      patch: verb("lanes.patch"),
      ensure: verb("lanes.ensure"),
      start: verb("lanes.start"),
      stop: verb("lanes.stop"),
      restart: verb("lanes.restart"),
      recreate: verb("lanes.recreate"),
      sync: verb("lanes.sync"),
      plan: (id, intent, opts) => later("lanes.plan", [id, intent, opts], () => plan),
      drift: (id, opts) =>
        note("lanes.drift", [id, opts], () => ({
          lane: id,
          policy: "hold" as const,
          action: "held" as const,
          fields: [{ part: "image", field: "id", was: "a", is: "b" }],
        })),
      history: (id, opts) =>
        note("lanes.history", [id, opts], () => [
          { seq: 1, atMs: AT_MS, generation: 1, event: "created", from: "creating", to: "starting", cause: null },
        ]),
      execPlan: (id, request, opts) =>
        note("lanes.execPlan", [id, request, opts], () => ({ argv: ["podman", "exec", id, ...request.argv], env: {} })),
      containerLogs: (id, opts) =>
        later("lanes.containerLogs", [id, opts], () => ({ container: "c1", lines: ["one"] })),
    },
    git: {
      diff: (id, query, opts) =>
        later("git.diff", [id, query, opts], () => ({
          lane: id,
          base: { ref: "main", commit: "a".repeat(40) },
          head: "b".repeat(40),
          files: [],
          additions: 0,
          deletions: 0,
          patch: query.stat ? null : "",
          truncated: false,
        })),
      merge: (id, wanted, opts) =>
        later("git.merge", [id, wanted, opts], () => ({
          lane: id,
          into: wanted.into ?? "main",
          strategy: "ff" as const,
          before: "a".repeat(40),
          after: "b".repeat(40),
          commits: 1,
          flagged: [],
          dryRun: wanted.dryRun ?? false,
        })),
    },
    jobs: {
      submit: ({ laneId, spec }) =>
        note("jobs.submit", [laneId, spec], () => {
          const known = jobs.find((job) => spec.key !== null && job.spec.key === spec.key);
          if (known !== undefined) return { job: known, created: false };
          const job = makeJob({ id: `01job${jobs.length}`.padEnd(26, "0"), laneId, spec });
          jobs.push(job);
          return { job, created: true };
        }),
      findJob: (id) => note("jobs.findJob", [id], () => jobOf(id)),
      listJobs: (opts) => note("jobs.listJobs", [opts], () => jobs),
      waitingOf: (job) => {
        const reason = waiting.get(job.id);
        return reason ? { reason, detail: null } : null;
      },
      sessionOf: () => null,
      gitOf: () => null,
      questionOf: () => null,
      summaryOf: () => null,
      progressOf: (job) => progress.get(job.id) ?? null,
      filesOf: (job) => {
        const stream = job.state.attempt === 0 ? null : `/state/jobs/${job.id}/${job.state.attempt}.ndjson`;
        return { stream, failure: null };
      },
      cancel: (id) => note("jobs.cancel", [id], () => jobOf(id)),
      withdraw: (id) => note("jobs.withdraw", [id], () => jobOf(id)),
      retry: (id) => note("jobs.retry", [id], () => jobOf(id)),
      readEvents: (id, opts) =>
        note("jobs.readEvents", [id, opts], () => jobEvents.filter((e) => e.seq > opts.after).slice(0, opts.limit)),
      follow: async function* (id, { after, signal }) {
        note("jobs.follow", [id, { after }], () => undefined);
        for (const event of jobEvents) {
          if (signal?.aborted) return;
          if (event.seq > after) yield event;
        }
      },
    },
    agents: {
      list: () => note("agents.list", [], () => [AGENT]),
      install: (wanted, opts) =>
        later("agents.install", [wanted, opts], () => ({ version: AGENT_VERSION, isNew: wanted.version !== "1.0.0" })),
      use: (agent, version) => later("agents.use", [agent, version], () => ({ ...AGENT, inUse: version })),
      remove: (agent, version) => later("agents.remove", [agent, version], () => undefined),
    },
    credentials: {
      list: () => note("credentials.list", [], () => [CREDENTIAL]),
      refresh: (agent, opts) =>
        later("credentials.refresh", [agent, opts], () => ({ ...CREDENTIAL, agent, changed: true })),
    },
    laneConfig: {
      settingsOf: () => DEFAULT_WORKSPACE_SETTINGS,
      patchWorkspace: (id, change) => note("laneConfig.patchWorkspace", [id, change], () => DEFAULT_WORKSPACE_SETTINGS),
      repository: (id, base, opts) =>
        later("laneConfig.repository", [id, base, opts], () => ({
          ...{ base, commit: "c".repeat(40), found: true, error: null },
          config: { ...NO_REPOSITORY_CONFIG, image: "other:1" },
          asked: {
            sha256: "a".repeat(64),
            word: "pending" as const,
            fields: [{ field: "image", was: "lane-runtime", is: "other:1" }],
          },
        })),
      decide: (id, said, opts) => later("laneConfig.decide", [id, said, opts], () => undefined),
      laneConfig: (id, opts) =>
        later("laneConfig.laneConfig", [id, opts], () => ({
          commit: null,
          values: [{ key: "agent", value: "claude", origin: "workspace" }],
        })),
      setUp: (id, opts) => note("laneConfig.setUp", [id, opts], () => viewOf(id)),
    },
    feed: port,
    inbox: {
      list: (query) => note("inbox.list", [query], () => [ITEM]),
      countOpen: () => 1,
      get: (id) => note("inbox.get", [id], () => ITEM),
      answer: (id, text, by) => note("inbox.answer", [id, text, by], () => ITEM),
      snooze: (id, forMs) => note("inbox.snooze", [id, forMs], () => ITEM),
      done: (id, by) => note("inbox.done", [id, by], () => ITEM),
      reopen: (id) => note("inbox.reopen", [id], () => ITEM),
      markRead: (id, isRead) => note("inbox.markRead", [id, isRead], () => ITEM),
      // Tests of lanes' calls bring an inbox of their own.
      jobOf: () => null,
      ask: bug,
      report: bug,
      createTask: bug,
      waitForAnswer: bug,
      tasks: bug,
      finishTask: bug,
    },
    status: {
      status: () =>
        note("status.status", [], () => ({
          version: "0.1.0",
          build: "b",
          install: "i",
          pid: 1,
          startedAt: new Date(AT_MS).toISOString(),
          api: null,
          socket: "/s",
          engine: { ok: true, version: "4.3.1", address: "unix:///p", own: false, error: null },
          image: null,
          lanes: { ready: 1 },
          jobs: {},
        })),
      readiness: () => note("status.readiness", [], () => ({ store: true, engine: true })),
      address: () => "http://127.0.0.1:4711",
      doctor: (opts) => later("status.doctor", [opts], () => ({ ok: true, checks: [] })),
      shutdown: () => note("status.shutdown", [], () => undefined),
    },
    terminals: {
      check: (laneId) => note("terminals.check", [laneId], () => undefined),
      open: (laneId, { size }) => later("terminals.open", [laneId, size], bug),
    },
    ...more,
  };

  const log = (level: string) => (fields: object, message: string) => {
    logged.push({ level, fields: fields as Record<string, unknown>, message });
  };
  const metrics = createMetrics({
    // Of the feed's subscribers the tests count their own.
    ports: {
      ...ports,
      feed: { ...port, subscribe: () => () => undefined },
      inbox: { ...ports.inbox, countOpen: () => 0 },
    },
    source: { lanes: () => [], jobsByState: () => ({}), findJob: () => null, oldestOpenItemAtMs: () => null },
    clock: systemClock,
    version: "0.1.0",
    onError: bug,
  });
  const api = createHostApi({
    ports,
    metrics,
    keys: makeKeys(),
    token: TOKEN,
    log: { debug: log("debug"), warn: log("warn"), error: log("error") },
    clock: systemClock,
    stopping: stop.signal,
    version: "0.1.0",
    ...(page === undefined ? {} : { page }),
  });
  return {
    api,
    ports,
    calls,
    lanes,
    jobs,
    jobEvents,
    waiting,
    progress,
    feed,
    logged,
    stop,
    fail: (name, error) => failures.set(name, error),
    request: async (method, path, body, headers = {}) =>
      api.app.request(
        path,
        {
          method,
          headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
          ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        },
        { via: { kind: "unix" } },
      ),
  };
}

/** Answers by key, in memory. */
export function makeKeys(): RequestKeys {
  const kept = new Map<string, ReturnType<RequestKeys["find"]>>();
  return {
    find: (scope, key) => kept.get(`${scope} ${key}`) ?? null,
    put: (scope, key, answer) => void kept.set(`${scope} ${key}`, answer),
    together: (fn) => fn(),
  };
}

function makeFeed(): { readonly feed: TestFeed; readonly port: HostApiPorts["feed"] } {
  const entries: FeedEntry[] = [];
  const listeners = new Set<() => void>();
  let latest = 0;
  return {
    feed: {
      entries,
      append: (type) => {
        latest += 1;
        entries.push({ seq: latest, atMs: AT_MS, type, lane: null, job: null, data: {} });
        for (const fn of listeners) fn();
      },
      prune: (upTo) => {
        while ((entries[0]?.seq ?? Number.POSITIVE_INFINITY) <= upTo) entries.shift();
      },
      subscribers: () => listeners.size,
    },
    port: {
      readAfter: (seq, limit) => entries.filter((entry) => entry.seq > seq).slice(0, limit),
      latest: () => latest,
      oldest: () => entries[0]?.seq ?? 0,
      subscribe: (fn) => {
        listeners.add(fn);
        return () => listeners.delete(fn);
      },
    },
  };
}

function withoutSignal(arg: unknown): unknown {
  if (typeof arg !== "object" || arg === null || Array.isArray(arg)) return arg;
  const { signal: _, ...rest } = arg as Record<string, unknown>;
  return rest;
}

function bug(): never {
  throw new Error("no such test value");
}
