import type { IncomingMessage } from "node:http";
import { AppError } from "../base/index.ts";
import { API_VERSION, PROBLEM_TYPE, toProblem } from "../protocol/index.ts";
import type { Reply } from "./route.ts";

/** Requests and answers as bytes and headers. */

/** Largest request body. */
export const BODY_MAX_BYTES = 2 * 1024 * 1024;

/** Media type of streams of events. */
export const SSE_TYPE = "text/event-stream; charset=utf-8";

/** On every answer: nothing of this API is ever a page, a script or a frame, or kept by a cache. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "lanekeeper-api": String(API_VERSION),
};

/** A handler's answer as a response. */
export function toResponse(reply: Reply, requestId: string): Response {
  const headers = (contentType?: string): Record<string, string> => ({
    ...SECURITY_HEADERS,
    "x-request-id": requestId,
    ...(contentType === undefined ? {} : { "content-type": contentType }),
  });
  switch (reply.kind) {
    case "json":
      return new Response(JSON.stringify(reply.json), { status: reply.status, headers: headers("application/json") });
    case "text":
      return new Response(reply.text, { headers: headers(reply.contentType) });
    case "empty":
      return new Response(null, { status: 204, headers: headers() });
    case "stream":
      return new Response(reply.stream, { headers: headers(SSE_TYPE) });
  }
}

/** An error as status, headers and body. */
export function toProblemParts(error: AppError, requestId: string) {
  const problem = toProblem(error, requestId);
  const headers: Record<string, string> = {
    ...SECURITY_HEADERS,
    "x-request-id": requestId,
    "content-type": PROBLEM_TYPE,
    ...(error.code === "request.unauthorized" ? { "www-authenticate": "Bearer" } : {}),
    // What is left of a body that is too large is not worth reading.
    ...(error.code === "request.too_large" ? { connection: "close" } : {}),
  };
  return { status: problem.status, headers, body: JSON.stringify(problem) };
}

/** An error as a response. */
export function toProblemResponse(error: AppError, requestId: string): Response {
  const { status, headers, body } = toProblemParts(error, requestId);
  return new Response(body, { status, headers });
}

/**
 * The JSON body of a request; undefined when there is none.
 * @throws request.unsupported_media, request.too_large, request.invalid
 */
export async function readJsonBody(incoming: IncomingMessage): Promise<unknown> {
  const { headers } = incoming;
  if (headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0) return undefined;
  if (Number(headers["content-length"] ?? 0) > BODY_MAX_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_MAX_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return size === 0 ? undefined : parseJson(Buffer.concat(chunks), headers["content-type"]);
}

/** Parses a body that must be JSON. @throws request.unsupported_media, request.invalid */
export function parseJson(body: Uint8Array, contentType: string | undefined): unknown {
  if (!/^application\/json(\s*;\s*charset="?utf-8"?)?\s*$/i.test(contentType ?? "")) {
    throw new AppError({
      code: "request.unsupported_media",
      message: `the body's content type is ${JSON.stringify(contentType ?? "not given")}, it must be application/json`,
    });
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new AppError({ code: "request.invalid", message: "the body is not valid JSON", cause });
  }
}

/** Query parameters as an object. @throws request.invalid for one that is repeated or empty */
export function parseQuery(params: URLSearchParams): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of params) {
    const why = Object.hasOwn(query, name) ? "is given twice" : value === "" ? "is empty" : null;
    if (why !== null) {
      throw new AppError({
        code: "request.invalid",
        message: `the query parameter ${JSON.stringify(name.slice(0, 40))} ${why}`,
      });
    }
    Object.defineProperty(query, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return query;
}

function tooLarge(): AppError {
  return new AppError({
    code: "request.too_large",
    message: `the body is larger than ${BODY_MAX_BYTES / 1024 / 1024} MiB`,
    hint: "send large inputs by a file in the lane's worktree",
  });
}
