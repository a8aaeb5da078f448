import { AppError } from "../base/index.ts";
import type { Lane } from "../lane/index.ts";
import {
  type ApiLaneContext,
  type ApiLaneSummary,
  type ApiSchema,
  askSchema,
  createTaskSchema,
  emptyQuerySchema,
  parseWith,
  questionQuerySchema,
  reportSchema,
} from "../protocol/index.ts";
import { parseJson, parseQuery } from "./http.ts";
import type { LaneView } from "./lane-ports.ts";
import type { HostApiPorts, LaneCall } from "./ports.ts";
import { toApiQuestion, toApiTask } from "./to-api-inbox.ts";

/** What lanes may ask for. */
export type LanePorts = Pick<HostApiPorts, "lanes" | "inbox">;

/** A call that came from inside a lane, over its authenticated link. Who is asking is the link's word, not the call's. */
export interface LaneApiCall {
  readonly laneId: string;
  readonly method: "GET" | "POST";
  /** With its query. */
  readonly path: string;
  readonly key: string | null;
  readonly body: string;
  readonly signal?: AbortSignal | undefined;
}

/** What a lane's call works with. */
interface LaneRouteContext {
  readonly ports: LanePorts;
  readonly call: LaneApiCall;
  readonly lane: Lane;
  /** The `{id}` of the path; empty where it has none. */
  readonly id: string;
  readonly query: URLSearchParams;
}

/** One route. Answers what becomes JSON. */
interface LaneRoute {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly handle: (at: LaneRouteContext) => unknown;
}

/** Of a task in a list, so many characters of its body are shown. */
const LISTED_BODY_MAX = 2000;
/** An answer has to fit into one frame of the link, escaped once more. */
const LISTED_BYTES_MAX = 256 * 1024;

const LANE_ROUTES: readonly LaneRoute[] = [
  { method: "GET", path: /^\/v1\/lane\/context$/, handle: contextOf },
  { method: "GET", path: /^\/v1\/lane\/lanes$/, handle: lanesOf },
  {
    method: "POST",
    path: /^\/v1\/lane\/ask$/,
    handle: (at) => toApiQuestion(at.ports.inbox.ask(callOf(at, askSchema))),
  },
  { method: "GET", path: /^\/v1\/lane\/questions\/([0-9a-z]{1,64})$/, handle: questionOf },
  { method: "POST", path: /^\/v1\/lane\/report$/, handle: reportOf },
  { method: "GET", path: /^\/v1\/lane\/tasks$/, handle: tasksOf },
  {
    method: "POST",
    path: /^\/v1\/lane\/tasks$/,
    handle: (at) => toApiTask(at.ports, at.ports.inbox.createTask(callOf(at, createTaskSchema))),
  },
  {
    method: "POST",
    path: /^\/v1\/lane\/tasks\/([0-9a-z]{1,64})\/done$/,
    handle: (at) => toApiTask(at.ports, at.ports.inbox.finishTask(at.id, at.lane.id)),
  },
];

/** Answers a lane's call. @throws request.*, inbox.*, lane.not_found */
export async function runLaneRoute(ports: LanePorts, call: LaneApiCall): Promise<unknown> {
  const [path = "", query = ""] = call.path.split("?", 2);
  for (const route of LANE_ROUTES) {
    const match = route.method === call.method ? route.path.exec(path) : null;
    if (!match) continue;
    const lane = ports.lanes.findLane(call.laneId);
    if (lane === null) throw new AppError({ code: "lane.not_found", message: "this lane has been removed" });
    return route.handle({ ports, call, lane, id: match[1] ?? "", query: new URLSearchParams(query) });
  }
  throw new AppError({ code: "request.not_found", message: `there is no ${call.method} ${path.slice(0, 200)}` });
}

function callOf<B>({ ports, call, lane }: LaneRouteContext, schema: ApiSchema<B>): LaneCall<B> {
  const body = parseWith(schema, parseJson(Buffer.from(call.body), "application/json"), "the body");
  const job = ports.inbox.jobOf(lane.id);
  // What is kept is bounded by job, and only a job can be told.
  if (job === null) {
    throw new AppError({ code: "job.not_running", message: "no job runs in this lane: there is nobody to tell" });
  }
  return { laneId: lane.id, job, key: call.key, body };
}

function queryOf<Q>({ query }: LaneRouteContext, schema: ApiSchema<Q>): Q {
  return parseWith(schema, parseQuery(query), "the query");
}

function contextOf(at: LaneRouteContext): ApiLaneContext {
  queryOf(at, emptyQuerySchema);
  const { lane, ports } = at;
  return {
    lane: lane.id,
    name: lane.name,
    workspace: lane.workspaceId,
    branch: lane.branch,
    generation: lane.generation,
    role: lane.settings.role,
    job: ports.inbox.jobOf(lane.id)?.id ?? null,
  };
}

async function lanesOf({ ports, lane, call }: LaneRouteContext): Promise<readonly ApiLaneSummary[]> {
  const all = await ports.lanes.list({ signal: call.signal });
  return all.filter((view) => seesAll(lane) || view.lane.id === lane.id).map(toSummary);
}

async function questionOf(at: LaneRouteContext): Promise<unknown> {
  const { ports, call, lane, id } = at;
  const { wait = 0 } = queryOf(at, questionQuerySchema);
  const opts = { laneId: lane.id, seesAll: seesAll(lane), waitMs: wait, signal: call.signal };
  return toApiQuestion(await ports.inbox.waitForAnswer(id, opts));
}

function reportOf(at: LaneRouteContext): unknown {
  const call = callOf(at, reportSchema);
  return { level: call.body.level, item: at.ports.inbox.report(call) };
}

function tasksOf(at: LaneRouteContext): unknown {
  queryOf(at, emptyQuerySchema);
  const shown = at.ports.inbox.tasks(seesAll(at.lane) ? null : at.lane.id).map((task) => {
    return toApiTask(at.ports, { ...task, body: task.body.slice(0, LISTED_BODY_MAX) });
  });
  let left = LISTED_BYTES_MAX;
  return shown.filter((task) => {
    left -= Buffer.byteLength(JSON.stringify(task));
    return left >= 0;
  });
}

/** The role `main` sees all lanes, their questions and tasks; every other lane sees itself. */
function seesAll(lane: Lane): boolean {
  return lane.settings.role === "main";
}

function toSummary({ lane, state, job, queued }: LaneView): ApiLaneSummary {
  return { name: lane.name, workspace: lane.workspaceId, branch: lane.branch, state: state.phase, job, queued };
}
