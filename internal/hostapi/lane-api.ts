import { AppError, newId, toAppError } from "../base/index.ts";
import { type ApiLaneContext, PROBLEM_TYPE, statusOf } from "../protocol/index.ts";
import { toProblemParts } from "./http.ts";
import type { ApiLog, HostApiPorts } from "./ports.ts";

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

/** The answer, as the link's `api.response` frame carries it. */
export interface LaneApiAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Answers calls from lanes. Never throws. */
export type LaneApi = (call: LaneApiCall) => Promise<LaneApiAnswer>;

/** Roles come with the tasks; until then every lane is an ordinary one. */
const ROLE = "lane";

/** What is planned, and answered with 501 until it is there. */
const PLANNED: Readonly<Record<string, readonly string[]>> = {
  GET: ["/v1/lane/tasks", "/v1/lane/lanes"],
  POST: ["/v1/lane/ask", "/v1/lane/report", "/v1/lane/tasks"],
};

/** The part of the API that lanes may call, each for itself only. */
export function createLaneApi(deps: { readonly ports: Pick<HostApiPorts, "lanes">; readonly log: ApiLog }): LaneApi {
  return async (call) => {
    const requestId = newId();
    try {
      const context = await answer(deps.ports, call);
      return { status: 200, contentType: "application/json", body: JSON.stringify(context) };
    } catch (caught) {
      const error = toAppError(caught);
      const failed = statusOf(error.code) >= 500 && error.code !== "request.not_supported";
      const fields = { op: `${call.method} ${call.path}`, lane: call.laneId, requestId, code: error.code, err: error };
      if (failed) deps.log.error(fields, "request of a lane failed");
      else deps.log.debug(fields, "request of a lane refused");
      const { status, body } = toProblemParts(failed ? withoutFacts(error) : error, requestId);
      return { status, contentType: PROBLEM_TYPE, body };
    }
  };
}

async function answer(ports: Pick<HostApiPorts, "lanes">, call: LaneApiCall): Promise<ApiLaneContext> {
  const path = call.path.split("?")[0] ?? "";
  if (call.method === "GET" && path === "/v1/lane/context") return contextOf(ports, call);
  const planned =
    PLANNED[call.method]?.includes(path) || (call.method === "GET" && path.startsWith("/v1/lane/questions/"));
  if (planned) throw new AppError({ code: "request.not_supported", message: `${path} is not in this version` });
  throw new AppError({ code: "request.not_found", message: `there is no ${call.method} ${path.slice(0, 200)}` });
}

async function contextOf(ports: Pick<HostApiPorts, "lanes">, call: LaneApiCall): Promise<ApiLaneContext> {
  const { lane, job } = await ports.lanes.get(call.laneId, { signal: call.signal });
  return {
    lane: lane.id,
    name: lane.name,
    workspace: lane.workspaceId,
    branch: lane.branch,
    generation: lane.generation,
    role: ROLE,
    job,
  };
}

/** What went wrong on the host is none of a lane's business: the request id finds it in the log. */
function withoutFacts(error: AppError): AppError {
  return new AppError({ code: error.code, message: "the host could not answer", retry: error.retry });
}
