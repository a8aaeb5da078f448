import { AppError, newId, toAppError } from "../base/index.ts";
import { PROBLEM_TYPE, statusOf } from "../protocol/index.ts";
import { toProblemParts } from "./http.ts";
import { type LaneApiCall, type LanePorts, runLaneRoute } from "./lane-routes.ts";
import type { ApiLog } from "./ports.ts";

/** The answer, as the link's `api.response` frame carries it. */
export interface LaneApiAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Answers calls from lanes. Never throws. */
export type LaneApi = (call: LaneApiCall) => Promise<LaneApiAnswer>;

/** The part of the API that lanes may call, each for itself only. */
export function createLaneApi(deps: { readonly ports: LanePorts; readonly log: ApiLog }): LaneApi {
  return async (call) => {
    const requestId = newId();
    try {
      const answer = await runLaneRoute(deps.ports, call);
      return { status: 200, contentType: "application/json", body: JSON.stringify(answer) };
    } catch (caught) {
      const error = toAppError(caught);
      const failed = statusOf(error.code) >= 500;
      const fields = { op: `${call.method} ${call.path}`, lane: call.laneId, requestId, code: error.code, err: error };
      if (failed) deps.log.error(fields, "request of a lane failed");
      else deps.log.debug(fields, "request of a lane refused");
      const { status, body } = toProblemParts(failed ? withoutFacts(error) : error, requestId);
      return { status, contentType: PROBLEM_TYPE, body };
    }
  };
}

/** What went wrong on the host is none of a lane's business: the request id finds it in the log. */
function withoutFacts(error: AppError): AppError {
  return new AppError({ code: error.code, message: "the host could not answer", retry: error.retry });
}
