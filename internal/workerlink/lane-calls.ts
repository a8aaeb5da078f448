import { AppError, newId, toAppError } from "../base/index.ts";
import { type HostFrame, LINK_FRAME_MAX_BYTES, PROBLEM_TYPE, toProblem, type WorkerFrame } from "../protocol/index.ts";
import type { LaneApiRequest, LaneApiResponse, LinkHandlers } from "./worker-link.ts";

/** Calls of one lane that the host works on at once. */
const CALLS_AT_ONCE = 64;
/** Room for the frame's own words; JSON escapes are counted by writing it. */
const FRAME_ROOM = 1024;

type ApiRequestFrame = Extract<WorkerFrame, { readonly t: "api.request" }>;

/** Answers a lane's calls to the host API. */
export interface LaneCalls {
  onRequest(frame: ApiRequestFrame): void;
  /** Nobody waits for the answer to this call any more. */
  onCancel(id: number): void;
  /** The link is gone. */
  end(): void;
}

/** Hands calls to the handler and its answers to `send`. */
export function createLaneCalls(handle: LinkHandlers["apiRequest"], send: (frame: HostFrame) => void): LaneCalls {
  const ended = new AbortController();
  const open = new Map<number, AbortController>();
  const answer = (id: number, response: LaneApiResponse) => {
    if (ended.signal.aborted) return;
    const frame = { t: "api.response", id, ...response } as const;
    const fits = Buffer.byteLength(JSON.stringify(frame)) <= LINK_FRAME_MAX_BYTES - FRAME_ROOM;
    send(fits ? frame : { t: "api.response", id, ...refuse(new AppError(TOO_LARGE)) });
  };
  const work = async (frame: ApiRequestFrame): Promise<LaneApiResponse> => {
    const path = normalisePath(frame.path);
    if (path === null) return refuse(new AppError(OUTSIDE));
    if (open.size >= CALLS_AT_ONCE || open.has(frame.id)) return refuse(new AppError(TOO_MANY));
    const gone = new AbortController();
    open.set(frame.id, gone);
    try {
      const { method, key, body } = frame;
      const signal = AbortSignal.any([ended.signal, gone.signal]);
      return await handle({ method, path, key, body } satisfies LaneApiRequest, { signal });
    } catch (caught) {
      return refuse(toAppError(caught));
    } finally {
      open.delete(frame.id);
    }
  };
  return {
    onCancel: (id) => open.get(id)?.abort(),
    onRequest: (frame) => void work(frame).then((response) => answer(frame.id, response)),
    end: () => ended.abort(),
  };
}

/** The path as a router will see it, or null when it leads out of `/v1/lane/`: dots and escapes are resolved first. */
export function normalisePath(path: string): string | null {
  try {
    const url = new URL(path, "http://lane");
    const inside = url.host === "lane" && url.pathname.startsWith("/v1/lane/");
    // An escaped slash, backslash, dot or percent sign could mean another path to the next one that unescapes it.
    return inside && !/%(?:2f|5c|2e|25|0[0-9a-f])/i.test(url.pathname) ? url.pathname + url.search : null;
  } catch {
    return null;
  }
}

function refuse(error: AppError): LaneApiResponse {
  const problem = toProblem(error, newId());
  return { status: problem.status, contentType: PROBLEM_TYPE, body: JSON.stringify(problem) };
}

const TOO_LARGE = { code: "internal.bug", message: "the answer is larger than the link takes" } as const;
const OUTSIDE = { code: "request.not_found", message: "only /v1/lane/ is reachable from a lane" } as const;
const TOO_MANY = {
  code: "lane.busy",
  message: `${CALLS_AT_ONCE} calls of this lane are under way already`,
  retry: "retryable",
} as const;
