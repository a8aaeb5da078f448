import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AppError, type ErrorCode, newId, toAppError } from "../../base/index.ts";
import { LINK_FRAME_MAX_BYTES } from "../../protocol/link-terms.ts";
import { isHostAllowed } from "../host-header.ts";
import type { WorkerLog } from "../log.ts";
import type { HostCall, HostCalls } from "./host-calls.ts";

/** Largest body of a call. */
const BODY_BYTES = 256 * 1024;
const PATH_LENGTH = 2048;
const KEY_LENGTH = 128;
/** Calls at once; agents that ask more are told to come back. */
const CALLS_AT_ONCE = 32;

/** The host API as agents in the lane see it: `/v1/lane/*` on the container's own loopback. */
export function createRelay(deps: { readonly calls: HostCalls; readonly log: WorkerLog }): Server {
  let underWay = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const refusal = whyRefused(request);
    if (refusal !== null) return sendProblem(response, refusal);
    if (underWay >= CALLS_AT_ONCE) return sendProblem(response, TOO_MANY);
    underWay++;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      const body = await readBody(request);
      if (body === null) return sendProblem(response, TOO_BIG);
      const answer = await deps.calls.call(toCall(request, body), { signal: gone.signal });
      response.writeHead(answer.status, { "content-type": answer.contentType, "cache-control": "no-store" });
      response.end(answer.body);
    } catch (caught) {
      const error = toAppError(caught);
      if (error.code === "internal.bug") deps.log.error("relay failed", { err: error });
      sendProblem(response, { status: statusOf(error), error });
    } finally {
      underWay--;
    }
  };
  return createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 30_000 }, (request, response) => {
    void handle(request, response);
  });
}

interface Refusal {
  readonly status: number;
  readonly error: AppError;
}

const TOO_BIG = refuse(413, "request.too_large", `a body may be ${BODY_BYTES / 1024} KiB at most, in UTF-8`);
const TOO_MANY = refuse(429, "request.invalid", `${CALLS_AT_ONCE} calls are under way already`);

function refuse(status: number, code: ErrorCode, message: string): Refusal {
  return { status, error: new AppError({ code, message, retry: status === 429 ? "retryable" : "terminal" }) };
}

function whyRefused(request: IncomingMessage): Refusal | null {
  const key = request.headers["idempotency-key"];
  if (!isHostAllowed(request.rawHeaders)) return refuse(421, "request.misdirected", "address this API by its IP");
  if (request.headers.origin !== undefined) return refuse(403, "request.forbidden", "this API is not for web pages");
  if (!request.url?.startsWith("/v1/lane/") || request.url.length > PATH_LENGTH) {
    return refuse(404, "request.not_found", "only /v1/lane/ is reachable from a lane");
  }
  if (request.method !== "GET" && request.method !== "POST") return refuse(405, "request.invalid", "GET and POST only");
  if (typeof key === "string" && key.length > KEY_LENGTH) {
    return refuse(400, "request.invalid", `an Idempotency-Key has ${KEY_LENGTH} characters at most`);
  }
  return null;
}

function toCall(request: IncomingMessage, body: string): HostCall {
  const key = request.headers["idempotency-key"];
  return {
    method: request.method === "POST" ? "POST" : "GET",
    path: request.url ?? "",
    key: typeof key === "string" && key !== "" ? key : null,
    body,
  };
}

/** The body as text; null when it is too big, also once it is escaped into a frame, or not UTF-8. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > BODY_BYTES) return null;
    parts.push(part as Buffer);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
    return Buffer.byteLength(JSON.stringify(text)) <= LINK_FRAME_MAX_BYTES / 2 ? text : null;
  } catch {
    return null;
  }
}

function statusOf(error: AppError): number {
  return error.code === "daemon.unreachable" ? 503 : error.code === "timeout" ? 504 : 500;
}

/** The product's `application/problem+json`, written here because the protocol's own writer needs zod. */
function sendProblem(response: ServerResponse, { status, error }: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  const { code, message, retry, hint } = error;
  const body = {
    type: `urn:lanekeeper:problem:${code}`,
    title: code.replace(/[._]/g, " "),
    status,
    detail: message,
    code,
    retry,
    hint,
    requestId: newId(),
  };
  // Whatever of the request is unread goes down with the connection.
  response.writeHead(status, { "content-type": "application/problem+json", connection: "close" });
  response.end(JSON.stringify(body));
}
