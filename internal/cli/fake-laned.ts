import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { isProcessAlive } from "./daemon-process.ts";
import {
  type RunLaneOptions,
  type Running,
  runLane,
  sampleEvent,
  sampleJob,
  sampleLane,
  sampleStatus,
  sampleWorkspace,
} from "./testing.ts";

/** For tests: a program that stands in for `laned`, a real process on a real socket with lanes in memory only. */
export interface FakeLaned extends AsyncDisposable {
  readonly folder: string;
  readonly socket: string;
  readonly logFile: string;
  /** Runs `lane` against it. `knobs` set what the program does: see the script. */
  lane(argv: readonly string[], knobs?: Readonly<Record<string, string>>, more?: Partial<RunLaneOptions>): Running;
  /** Every request any of its processes got, as `pid METHOD path`. */
  requests(): Promise<readonly string[]>;
  /** Processes it ever ran, by pid. */
  pids(): Promise<readonly number[]>;
  alive(): Promise<readonly number[]>;
}

/**
 * Knobs: FAKE_BUILD (default b1), FAKE_DIE (prints a complaint and exits with this code), FAKE_ENGINE=none (not ready
 * for lack of an engine), FAKE_DOCTOR (the answer to `doctor`), FAKE_VANISH (exits at this request, once),
 * FAKE_LANES (names of lanes that exist), FAKE_LOSES (removal would lose work), FAKE_EXIT (exit code of jobs).
 */
const SCRIPT = String.raw`
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
const env = process.env;
const folder = env.FAKE_FOLDER;
const samples = JSON.parse(readFileSync(folder + "/samples.json", "utf8"));
const knob = (name) => env["FAKE_" + name];
if (process.argv[2] === "doctor") {
  process.stderr.write("looking\n");
  process.stdout.write(knob("DOCTOR").replace("ARGS", process.argv.slice(2).join(" ")));
  process.exit(JSON.parse(knob("DOCTOR")).ok ? 0 : 1);
}
appendFileSync(folder + "/pids", process.pid + "\n");
console.log("laned starts");
if (knob("DIE")) { console.log("cannot read the configuration"); process.exit(Number(knob("DIE"))); }
const lanes = new Map();
for (const name of (knob("LANES") ?? "").split(",").filter(Boolean)) lanes.set(name, { ...samples.lane, id: name, name });
const status = { ...samples.status, pid: process.pid, build: knob("BUILD") ?? "b1", lanes: { ready: lanes.size } };
const engine = knob("ENGINE") !== "none";
if (!engine) status.engine = { ok: false, version: null, address: null, own: false, error: { code: "engine.unavailable", message: "no podman", hint: "install it" } };
const problem = (code, s) => [s, { type: "t", title: "t", status: s, detail: code, code, retry: "terminal", requestId: "r" }];
const job = { ...samples.job, exitCode: Number(knob("EXIT") ?? 0) };
if (job.exitCode !== 0) Object.assign(job, { state: "failed", error: { code: "exit", message: "exit" } });
function route(method, path, body) {
  const lane = [...lanes.values()].find((one) => path.startsWith("/v1/lanes/" + one.id));
  switch (method + " " + path.replace(lane?.id ?? "~", "L").split("?")[0]) {
    case "GET /readyz": return [engine ? 200 : 503, { ready: engine, checks: { store: true, engine } }];
    case "GET /v1/status": return [200, status];
    case "POST /v1/login-codes": return [201, { url: status.api + "/#code=" + "c0de".repeat(8), expiresAt: "2026-01-02T03:09:05.000Z" }];
    case "POST /v1/shutdown": setTimeout(() => { server.closeAllConnections(); server.close(() => process.exit(0)); }, 30); return [200, { stopping: true, pid: process.pid }];
    case "POST /v1/workspaces": return existsSync(folder + "/ws") ? problem("workspace.exists", 409) : (writeFileSync(folder + "/ws", ""), [201, { ...samples.workspace, path: body.path }]);
    case "GET /v1/workspaces": return [200, [{ ...samples.workspace, path: "/" }]];
    case "GET /v1/lanes": return [200, [...lanes.values()]];
    case "POST /v1/lanes": lanes.set(body.name, { ...samples.lane, id: body.name, name: body.name }); return [201, lanes.get(body.name)];
    case "GET /v1/lanes/L": case "POST /v1/lanes/L/ensure": return [200, lane];
    case "DELETE /v1/lanes/L": if (knob("LOSES")) return problem("lane.would_lose_work", 409); lanes.delete(lane.name); return [200, { id: lane.id, name: lane.name, removed: true, lost: [], ignored: 0, worktreeKept: false, branch: lane.branch, branchDeleted: false }];
    case "POST /v1/lanes/L/jobs": return [201, { ...job, state: "queued" }];
    case "GET /v1/jobs/" + job.id: return [200, job];
    default: return problem("request.not_found", 404);
  }
}
const server = createServer(async (request, answer) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const key = request.method + " " + request.url;
  if (knob("VANISH") === key && !existsSync(folder + "/vanished")) { writeFileSync(folder + "/vanished", ""); process.exit(1); }
  appendFileSync(folder + "/requests", process.pid + " " + key + "\n");
  if (request.url.includes("/events")) {
    answer.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of samples.events) answer.write("data: " + JSON.stringify(event) + "\n\n");
    return answer.end();
  }
  const [code, value] = route(request.method, request.url, chunks.length ? JSON.parse(Buffer.concat(chunks)) : null);
  answer.writeHead(code, { "content-type": "application/json" });
  answer.end(value === undefined ? "" : JSON.stringify(value));
});
const socket = folder + "/api.sock";
server.once("error", () => { console.log("another laned runs"); process.exit(5); });
// A killed predecessor leaves its socket behind.
if (existsSync(folder + "/vanished")) rmSync(socket, { force: true });
server.listen(socket);
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(0));
`;

/** Writes the program to a temporary folder. Disposing ends every process it ran. */
export async function createFakeLaned(): Promise<FakeLaned> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "lane-up-"));
  const laned = path.join(folder, "laned");
  await writeFile(path.join(folder, "laned.mjs"), SCRIPT);
  await writeFile(laned, `#!/bin/sh\nexec '${process.execPath}' '${folder}/laned.mjs' "$@"\n`);
  await chmod(laned, 0o755);
  const events = [
    sampleEvent(1, { stream: "stdout", text: "hello from the lane\n" }),
    sampleEvent(2, { type: "state", phase: "succeeded", detail: null }),
  ];
  const samples = {
    lane: sampleLane(),
    job: sampleJob(),
    status: sampleStatus(),
    workspace: sampleWorkspace(),
    events,
  };
  await writeFile(path.join(folder, "samples.json"), JSON.stringify(samples));
  const linesOf = async (file: string) =>
    (await readFile(path.join(folder, file), "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

  const fake: FakeLaned = {
    folder,
    socket: path.join(folder, "api.sock"),
    logFile: path.join(folder, "logs", "laned.log"),
    lane: (argv, knobs = {}, more = {}) =>
      runLane(argv, {
        socket: fake.socket,
        laned,
        logFile: fake.logFile,
        configFile: path.join(folder, "config.yaml"),
        env: { FAKE_FOLDER: folder, ...knobs },
        ...more,
      }),
    requests: () => linesOf("requests"),
    pids: async () => (await linesOf("pids")).map(Number),
    async alive() {
      const pids = await fake.pids();
      const alive = await Promise.all(pids.map(isProcessAlive));
      return pids.filter((_pid, at) => alive[at]);
    },
    async [Symbol.asyncDispose]() {
      for (const pid of await fake.alive()) process.kill(pid, "SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
  return fake;
}
