import { afterEach, beforeEach } from "vitest";
import {
  describeRequest,
  runLane,
  type ScriptedDaemon,
  sampleAgent,
  sampleCredential,
  sampleEvent,
  sampleJob,
  sampleLane,
  sampleStatus,
  sampleWorkspace,
  sendEvents,
  startScriptedDaemon,
} from "./testing.ts";

/** What tests of verbs share: a daemon with one lane, `fix`, that answers whatever a verb may ask. */

export const LANE = sampleLane();
export const JOB = sampleJob();
export const PLAN = {
  lane: LANE.id,
  steps: [{ op: "stop", text: "stop the container", destructive: true, cause: { code: "user", message: "asked for" } }],
};
export const DRIFTED = {
  lane: LANE.id,
  policy: "hold",
  action: "held",
  fields: [{ part: "limits", field: "memoryBytes", was: "1", is: null }],
};
export const REMOVED = {
  ...{ id: LANE.id, name: LANE.name, removed: true, branch: "fix", branchDeleted: true, worktreeKept: false },
  ...{ lost: ["1 stash entry"], ignored: 2 },
};
const DISK = { lane: LANE.id, worktreeBytes: 2_000_000, volumeBytes: null, containerBytes: 1, partial: true };
const PRUNABLE = {
  lane: LANE.id,
  name: "fix",
  workspace: "shop",
  branch: "fix",
  base: "main",
  merged: "content",
};
export const AGENT = sampleAgent();
export const CREDENTIAL = sampleCredential();

/** The daemon, and how it is asked. */
export interface Shop extends AsyncDisposable {
  readonly daemon: ScriptedDaemon;
  /** Runs `lane` with these words. */
  lane(words: string, more?: Partial<Parameters<typeof runLane>[1]>): ReturnType<typeof runLane>;
  /** The last request, which is the one the verb is about. */
  asked(): string;
}

/** Starts the daemon. */
export async function startShop(): Promise<Shop> {
  const daemon = await startScriptedDaemon({
    "GET /v1/status": () => ({ body: sampleStatus() }),
    "POST /v1/workspaces": () => ({ status: 201, body: sampleWorkspace() }),
    "DELETE /v1/workspaces/ws1": () => ({ status: 204 }),
    "GET /v1/agents": () => ({ body: [AGENT] }),
    "GET /v1/credentials": () => ({ body: [CREDENTIAL] }),
    "POST /v1/credentials/claude/refresh": () => ({ body: { ...CREDENTIAL, changed: true } }),
    "POST /v1/agents": () => ({ status: 201, body: AGENT.versions[0] }),
    "PATCH /v1/agents/claude": () => ({ body: AGENT }),
    "DELETE /v1/agents/claude": () => ({ status: 204 }),
    "GET /v1/prunable": () => ({
      body: [
        { ...PRUNABLE, blocked: null },
        { ...PRUNABLE, lane: "other", name: "other", blocked: "would lose 1 commit" },
      ],
    }),
    "POST /v1/images/prune": () => ({ body: { removed: ["localhost/lanekeeper-i-packages:0"] } }),
    "GET /v1/lanes": () => ({ body: [LANE] }),
    "POST /v1/lanes": ({ body }) =>
      (body as { dryRun?: boolean }).dryRun ? { body: PLAN } : { status: 201, body: LANE },
    "GET /v1/jobs": () => ({ body: [JOB] }),
    [`GET /v1/jobs/${JOB.id}`]: () => ({ body: JOB }),
    [`POST /v1/jobs/${JOB.id}/cancel`]: () => ({ body: JOB }),
    [`POST /v1/jobs/${JOB.id}/retry`]: () => ({ body: sampleJob({ state: "queued" }) }),
    [`GET /v1/jobs/${JOB.id}/events`]: ({ path }, answer) =>
      path.includes("follow")
        ? sendEvents(
            answer,
            [
              sampleEvent(1, { stream: "stdout", text: "hi\n" }),
              sampleEvent(2, { type: "state", phase: "succeeded", detail: null }),
            ],
            { end: true },
          )
        : { body: path.includes("after=0") ? [sampleEvent(1, { stream: "stdout", text: "hi\n" })] : [] },
    "GET /v1/events": ({ path }) => ({
      body: path.includes("after=0")
        ? [{ seq: 1, at: LANE.createdAt, type: "lane.ready", lane: LANE.id, job: null, data: { to: "ready" } }]
        : [],
    }),
  });
  for (const ref of ["fix", LANE.id]) {
    const at = `/v1/lanes/${ref}`;
    for (const key of [
      `GET ${at}`,
      `PATCH ${at}`,
      ...["ensure", "start", "stop", "restart", "recreate", "sync"].map((act) => `POST ${at}/${act}`),
    ]) {
      daemon.route(key, () => ({ body: LANE }));
    }
    daemon.route(`POST ${at}/stop`, () => ({ body: sampleLane({ state: "stopped" }) }));
    daemon.route(`DELETE ${at}`, () => ({ body: REMOVED }));
    daemon.route(`GET ${at}/disk`, () => ({ body: DISK }));
    daemon.route(`GET ${at}/plan`, () => ({ body: PLAN }));
    daemon.route(`GET ${at}/drift`, () => ({ body: DRIFTED }));
    daemon.route(`GET ${at}/history`, () => ({
      body: [{ seq: 1, at: LANE.createdAt, generation: 3, event: "proven", from: "probing", to: "ready", cause: null }],
    }));
    daemon.route(`GET ${at}/logs`, () => ({ body: { lane: LANE.id, container: "c", lines: ["one", "two"] } }));
    daemon.route(`GET ${at}/jobs`, () => ({ body: [JOB] }));
    daemon.route(`POST ${at}/exec-plan`, () => ({ body: { argv: ["sh", "-c", "exit 7"], env: {} } }));
  }
  return {
    daemon,
    lane: (words, more = {}) => runLane(words.split(" "), { socket: daemon.socket, ...more }),
    asked() {
      return describeRequest(daemon.requests.at(-1) ?? { method: "", path: "", body: null });
    },
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/** A shop for each test of the file. */
export function shopBeforeEach(): Pick<Shop, "daemon" | "lane" | "asked"> {
  let shop: Shop;
  beforeEach(async () => {
    shop = await startShop();
  });
  afterEach(() => shop[Symbol.asyncDispose]());
  return {
    get daemon() {
      return shop.daemon;
    },
    lane: (...args) => shop.lane(...args),
    asked: () => shop.asked(),
  };
}
