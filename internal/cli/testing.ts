import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import os from "node:os";
import path from "node:path";
import { systemClock } from "../base/index.ts";
import type {
  ApiAgent,
  ApiCredential,
  ApiInboxItem,
  ApiJob,
  ApiJobEvent,
  ApiLane,
  ApiStatus,
  ApiWorkspace,
} from "../protocol/index.ts";
import type { CliDeps } from "./context.ts";
import type { Output, StopSignal } from "./io.ts";
import { runCli } from "./run-cli.ts";

/** What tests of this folder share: a scripted daemon on a unix socket, a recorded process, and sample answers. */

/** A request the scripted daemon got. */
export interface Recorded {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Answers a request: with JSON, or by itself. */
export type Route = (
  request: Recorded,
  answer: ServerResponse,
) => { readonly status?: number; readonly body?: unknown } | Promise<void> | "handled";

/** A daemon that answers from a table `"GET /v1/lanes": route`; paths are matched without their query. */
export interface ScriptedDaemon extends AsyncDisposable {
  readonly socket: string;
  readonly folder: string;
  readonly requests: readonly Recorded[];
  route(key: string, route: Route): void;
  /** Cuts all connections and takes the socket away, as a killed daemon does. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Starts a scripted daemon in a temporary folder of its own. */
export async function startScriptedDaemon(routes: Readonly<Record<string, Route>> = {}): Promise<ScriptedDaemon> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "lane-cli-"));
  const socket = path.join(folder, "api.sock");
  const requests: Recorded[] = [];
  const table = new Map<string, Route>([["GET /v1/workspaces", () => ({ body: [] })], ...Object.entries(routes)]);
  let server: Server | null = null;

  const daemon: ScriptedDaemon = {
    socket,
    folder,
    requests,
    route: (key, route) => void table.set(key, route),
    async start() {
      const next = createServer((incoming, answer) => void serve(table, requests, incoming, answer));
      await new Promise<void>((resolve) => next.listen(socket, resolve));
      server = next;
    },
    async stop() {
      const last = server;
      server = null;
      if (last === null) return;
      const closed = new Promise((resolve) => last.close(resolve));
      last.closeAllConnections();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      await daemon.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await daemon.start();
  return daemon;
}

async function serve(
  table: ReadonlyMap<string, Route>,
  requests: Recorded[],
  incoming: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  const recorded = {
    method: incoming.method ?? "",
    path: incoming.url ?? "",
    body: text === "" ? null : JSON.parse(text),
    headers: incoming.headers as Readonly<Record<string, string | undefined>>,
  };
  requests.push(recorded);
  const route = table.get(`${recorded.method} ${recorded.path.split("?")[0]}`);
  const result = route === undefined ? problem("request.not_found", 404) : await route(recorded, answer);
  if (result === undefined || result === "handled") return;
  const status = result.status ?? 200;
  answer.writeHead(status, { "content-type": status >= 400 ? "application/problem+json" : "application/json" });
  answer.end(result.body === undefined ? "" : JSON.stringify(result.body));
}

/** A request in one line. The folder that `runLane` is in unless told otherwise, which all verbs name, is left out. */
export function describeRequest({ method, path: target, body }: Pick<Recorded, "method" | "path" | "body">): string {
  const shown = target.replace(/([?&])workspace=%2Fnowhere(&|$)/, (_, before, after) => (after === "" ? "" : before));
  const text = body === null ? "" : ` ${JSON.stringify(body).replace(',"workspace":"/nowhere"', "")}`;
  return `${method} ${shown}${text}`;
}

/** An error as the daemon sends it. */
export function problem(code: string, status: number, more: Readonly<Record<string, unknown>> = {}) {
  const body = {
    type: `urn:lanekeeper:problem:${code}`,
    title: code,
    status,
    detail: `it is ${code}`,
    code,
    retry: "terminal",
  };
  return { status, body: { ...body, requestId: "r1", ...more } };
}

/** What a run of the CLI left behind. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A run under way. */
export interface Running extends Promise<Ran> {
  signal(signal: StopSignal): void;
  stdoutNow(): string;
  stderrNow(): string;
}

/** Options of {@link runLane}. */
export interface RunLaneOptions {
  readonly socket: string;
  readonly cwd?: string;
  readonly columns?: number;
  readonly stdin?: string;
  /** What a person types at a question; makes stdin and stderr a terminal. */
  readonly types?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly laned?: string;
  readonly logFile?: string;
  readonly configFile?: string;
  readonly deps?: Partial<CliDeps>;
}

/** Runs a command line in this process against a recorded terminal. */
export function runLane(argv: readonly string[], opts: RunLaneOptions): Running {
  const stdout = record(opts.columns);
  const stderr = record(opts.types === undefined ? undefined : 80);
  const handlers = new Set<(signal: StopSignal) => void>();
  const run = runCli({
    io: {
      argv,
      env: { PATH: process.env.PATH, ...opts.env },
      cwd: opts.cwd ?? "/nowhere",
      stdin: {
        isTty: opts.types !== undefined,
        readAll: async () => opts.stdin ?? "",
        readLine: async () => opts.types ?? "",
      },
      stdout: stdout.output,
      stderr: stderr.output,
      onSignal(handler) {
        handlers.add(handler);
        return () => handlers.delete(handler);
      },
    },
    clock: systemClock,
    build: { version: "0.1.0", build: "b1" },
    laned: opts.laned ?? "/nowhere/laned",
    locate: async () => ({
      socket: opts.socket,
      logFile: opts.logFile ?? "/nowhere/laned.log",
      configFile: opts.configFile ?? "/nowhere/config.yaml",
    }),
    ...opts.deps,
  }).then((code): Ran => ({ code, stdout: stdout.text(), stderr: stderr.text() }));
  return Object.assign(run, {
    signal: (signal: StopSignal) => {
      for (const handler of handlers) handler(signal);
    },
    stdoutNow: stdout.text,
    stderrNow: stderr.text,
  });
}

function record(columns: number | undefined): { readonly output: Output; readonly text: () => string } {
  const chunks: Buffer[] = [];
  return {
    output: {
      isTty: columns !== undefined,
      columns,
      write: async (chunk) => void chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk)),
    },
    text: () => Buffer.concat(chunks).toString("latin1"),
  };
}

/** Resolves as soon as `probe` says so. @throws when it has not after 5 s */
export async function eventually(what: string, probe: () => boolean): Promise<void> {
  for (let waitedMs = 0; !probe(); waitedMs += 5) {
    if (waitedMs > 5000) throw new Error(`not within 5 s: ${what}`);
    await systemClock.sleep(5, {});
  }
}

const AT = "2026-01-02T03:04:05.000Z";

/** A lane as the daemon describes it. */
export function sampleLane(change: Partial<ApiLane> = {}): ApiLane {
  return {
    id: "fix-0123456789",
    name: "fix",
    workspace: "ws1",
    branch: "fix",
    worktree: "/src/shop.lanes/fix",
    desired: "up",
    state: "ready",
    cause: null,
    logTail: [],
    since: AT,
    until: null,
    generation: 3,
    container: "c".repeat(64),
    containerName: "lane-i-fix-0123456789",
    startedAt: AT,
    workerPid: 42,
    endpoint: "http://127.0.0.1:40001",
    fingerprint: "f".repeat(64),
    drift: [],
    agent: null,
    settings: { image: null, drift: "when-idle", env: {} },
    job: null,
    queued: 0,
    git: { ahead: 0, behind: 0, dirty: 0, unimported: 0 },
    credentials: {},
    createdAt: AT,
    ...change,
  };
}

/** A job as the daemon describes it. */
export function sampleJob(change: Partial<ApiJob> = {}): ApiJob {
  return {
    id: "01jz0000000000000000000001",
    lane: "fix-0123456789",
    laneName: "fix",
    kind: "command",
    argv: ["npm", "test"],
    prompt: null,
    agent: null,
    state: "succeeded",
    detail: null,
    waiting: null,
    files: { stream: null, failure: null },
    attempt: 1,
    key: null,
    priority: 0,
    session: null,
    exitCode: 0,
    signal: null,
    truncated: false,
    text: null,
    usage: null,
    git: null,
    error: null,
    createdAt: AT,
    startedAt: AT,
    endedAt: AT,
    ...change,
  };
}

/** A workspace as the daemon describes it. */
export function sampleWorkspace(change: Partial<ApiWorkspace> = {}): ApiWorkspace {
  return { id: "ws1", name: "shop", path: "/src/shop", lanes: 1, createdAt: AT, ...change };
}

/** An agent with one installed version, as the daemon describes it. */
export function sampleAgent(change: Partial<ApiAgent> = {}): ApiAgent {
  const version = {
    agent: "claude",
    version: "2.1.329",
    platform: "linux-x64-glibc",
    inUse: true,
    lanes: ["fix"],
    sha256: "5".repeat(64),
    bytes: 361_000_000,
    installedAt: AT,
  };
  return {
    agent: "claude",
    title: "Claude Code",
    package: "@vendor/claude",
    inUse: "2.1.329",
    versions: [version],
    login: { state: "unknown", source: null },
    ...change,
  };
}

/** A login as the daemon describes it. */
export function sampleCredential(change: Partial<ApiCredential> = {}): ApiCredential {
  return {
    agent: "claude",
    title: "Claude Code",
    state: "usable",
    source: "/home/me/.claude/.credentials.json",
    expiresAt: AT,
    account: "a1b2c3d4e5f6",
    reason: null,
    warning: null,
    lanes: ["fix"],
    ...change,
  };
}

/** An item of the inbox as the daemon describes it. */
export function sampleItem(change: Partial<ApiInboxItem> = {}): ApiInboxItem {
  return {
    id: "01kabcdefg0000000000000001",
    kind: "question",
    lane: "fix-0123456789",
    laneName: "fix",
    job: "01jz0000000000000000000001",
    title: "Which schema?",
    body: "",
    choices: [],
    default: null,
    urgency: "normal",
    state: "open",
    answer: null,
    by: null,
    delivered: null,
    read: false,
    snoozedUntil: null,
    createdAt: AT,
    changedAt: AT,
    expiresAt: null,
    data: {},
    ...change,
  };
}

/** The daemon's own state. */
export function sampleStatus(change: Partial<ApiStatus> = {}): ApiStatus {
  return {
    version: "0.1.0",
    build: "b1",
    install: "i",
    pid: 99_999_999,
    startedAt: AT,
    api: "http://127.0.0.1:4711",
    socket: "/run/lanekeeper/api.sock",
    engine: { ok: true, version: "4.3.1", address: "unix:///run/podman/podman.sock", own: true, error: null },
    image: { reference: "localhost/lane-runtime:local", id: "a".repeat(64) },
    lanes: { ready: 1 },
    jobs: {},
    ...change,
  };
}

/** An event of a job's log. */
export function sampleEvent(seq: number, more: Readonly<Record<string, unknown>>): ApiJobEvent {
  return { seq, job: "01jz0000000000000000000001", attempt: 1, at: AT, type: "output", ...more };
}

/** Sends events as a stream. Ends it, or leaves it open. */
export function sendEvents(
  answer: ServerResponse,
  events: readonly ApiJobEvent[],
  opts: { readonly end: boolean },
): "handled" {
  if (!answer.headersSent) answer.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of events) answer.write(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`);
  if (opts.end) answer.end();
  return "handled";
}
