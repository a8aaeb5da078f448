import { Pool } from "undici";
import { parseSse } from "../../internal/cli/sse.ts";
import type {
  ApiFeedEntry,
  ApiHistoryEntry,
  ApiJob,
  ApiJobEvent,
  ApiLane,
  ApiLaneDiff,
  ApiStatus,
} from "../../internal/protocol/index.ts";
import { pause } from "./measure.ts";
import type { CallOptions } from "./podman-cli.ts";

/** An idle connection is kept so long, ms. */
const KEEP_MS = 2000;

/** The daemon as another program uses it: over its unix socket, on kept connections. */
export interface DaemonApi extends AsyncDisposable {
  status(opts: CallOptions): Promise<ApiStatus>;
  addWorkspace(path: string, opts: CallOptions): Promise<void>;
  addLane(name: string, opts: CallOptions): Promise<ApiLane>;
  lanes(opts: CallOptions): Promise<readonly ApiLane[]>;
  /** Waits until the lane is ready; throws when it is anything else in the end. */
  bringUp(lane: string, verb: "ensure" | "start", opts: CallOptions): Promise<ApiLane>;
  stop(lane: string, opts: CallOptions): Promise<ApiLane>;
  sync(lane: string, opts: CallOptions): Promise<ApiLane>;
  diffStat(lane: string, opts: CallOptions): Promise<ApiLaneDiff>;
  /** The last `limit` lines of a lane's history, newest last. */
  history(lane: string, limit: number, opts: CallOptions): Promise<readonly ApiHistoryEntry[]>;
  submit(lane: string, argv: readonly string[], opts: CallOptions): Promise<ApiJob>;
  job(id: string, opts: CallOptions): Promise<ApiJob>;
  followJob(job: string, opts: CallOptions): AsyncGenerator<ApiJobEvent, void>;
  /** Entries from now on. */
  followFeed(opts: CallOptions): AsyncGenerator<ApiFeedEntry, void>;
}

/** Without `keepAlive` each call has a connection of its own, as of a program that makes just one. */
export function createDaemonApi(socketPath: string, opts: { readonly keepAlive: boolean }): DaemonApi {
  const pool = new Pool("http://localhost", {
    connect: { socketPath },
    connections: 64,
    pipelining: opts.keepAlive ? 1 : 0,
    // Well before the other side closes it: undici's own timers may be a second late.
    keepAliveTimeout: KEEP_MS,
    keepAliveMaxTimeout: KEEP_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const open = (method: "GET" | "POST", path: string, signal: AbortSignal | undefined, body?: unknown) =>
    pool.request({
      method,
      path,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  const call = async <T>(method: "GET" | "POST", path: string, { signal }: CallOptions, body?: unknown): Promise<T> => {
    const answer = await open(method, path, signal, body);
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return JSON.parse(text) as T;
  };
  async function* stream<T>(path: string, { signal }: CallOptions): AsyncGenerator<T, void> {
    const answer = await open("GET", path, signal);
    for await (const { event, data } of parseSse(answer.body)) if (event === "message") yield JSON.parse(data) as T;
  }
  return {
    status: (o) => call("GET", "/v1/status", o),
    addWorkspace: async (path, o) => {
      await call("POST", "/v1/workspaces", o, { path });
    },
    addLane: (name, o) => call("POST", "/v1/lanes", o, { name }),
    lanes: (o) => call("GET", "/v1/lanes", o),
    bringUp: async (lane, verb, o) => {
      const now = await call<ApiLane>("POST", `/v1/lanes/${lane}/${verb}`, o);
      if (now.state === "ready") return now;
      throw new Error(`lane ${now.name} is ${now.state} after ${verb}: ${JSON.stringify(now)}`);
    },
    stop: (lane, o) => call("POST", `/v1/lanes/${lane}/stop`, o),
    sync: (lane, o) => call("POST", `/v1/lanes/${lane}/sync`, o),
    diffStat: (lane, o) => call("GET", `/v1/lanes/${lane}/diff?stat=1`, o),
    history: (lane, limit, o) => call("GET", `/v1/lanes/${lane}/history?limit=${limit}`, o),
    submit: (lane, argv, o) => call("POST", `/v1/lanes/${lane}/jobs`, o, { kind: "command", argv }),
    job: (id, o) => call("GET", `/v1/jobs/${id}`, o),
    followJob: (job, o) => stream(`/v1/jobs/${job}/events?follow=1`, o),
    followFeed: (o) => stream("/v1/events", o),
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}

/** Waits until a lane is in a phase, looking every 10 ms; no look costs the daemon more than its memory. */
export async function untilState(
  api: DaemonApi,
  laneId: string,
  state: ApiLane["state"],
  opts: { readonly signal: AbortSignal },
): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    if ((await api.lanes(opts)).find((lane) => lane.id === laneId)?.state === state) return;
    await pause(10, opts.signal);
  }
  throw new Error(`lane ${laneId} did not become ${state} within 30 s`);
}
