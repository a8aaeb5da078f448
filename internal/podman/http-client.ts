import { type Dispatcher, Pool } from "undici";
import { AppError, errnoOf, throwIfAborted, toError, withDeadline } from "../base/index.ts";

/** The libpod API's own prefix, pinned: 4.0 is answered by every Podman from 4.3 to 5.x. */
export const LIBPOD_PREFIX = "/v4.0.0/libpod";

/** Largest answer taken, except for streams. */
const BODY_MAX_BYTES = 32 * 1024 * 1024;

/** One request. */
export interface LibpodRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE" | "HEAD";
  /** Below the prefix, with query. */
  readonly path: string;
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: { readonly contentType: string; readonly bytes: Buffer } | undefined;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What is being done, for messages: `create container lane-x`. */
  readonly act: string;
}

/** An answer whose status the caller judges. */
export interface LibpodAnswer {
  readonly status: number;
  readonly text: string;
}

/** A keep-alive pool on the engine's unix socket. */
export interface LibpodClient {
  request(request: LibpodRequest): Promise<LibpodAnswer>;
  /** As `request`, for an answer that is not text. */
  download(request: LibpodRequest): Promise<Buffer>;
  /** An endless answer: resolves once the headers are there. */
  stream(request: Omit<LibpodRequest, "deadlineMs">): Promise<AsyncIterable<Buffer>>;
  close(): Promise<void>;
}

/** @param socketPath the path of a `unix://` address */
export function createLibpodClient(socketPath: string, address: string): LibpodClient {
  // Mutations hold a connection for as long as they take; queries must not wait behind them.
  const pool = new Pool("http://d", {
    connect: { socketPath },
    connections: 16,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const send = (
    request: Omit<LibpodRequest, "deadlineMs">,
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> =>
    pool.request({
      method: request.method,
      path: LIBPOD_PREFIX + request.path,
      headers: headersOf(request),
      body: request.raw ? request.raw.bytes : request.body === undefined ? null : JSON.stringify(request.body),
      ...(signal ? { signal } : {}),
    });
  const timed = <T>(request: LibpodRequest, read: (response: Dispatcher.ResponseData) => Promise<T>): Promise<T> =>
    withDeadline(
      { ms: request.deadlineMs, signal: request.signal, makeError: () => deadlineError(request, address) },
      async (signal) => {
        try {
          return await read(await send(request, signal));
        } catch (caught) {
          throw transportError(request.act, address, caught, request.signal);
        }
      },
    );
  return {
    request: (request) =>
      timed(request, async (response) => ({
        status: response.statusCode,
        text: (await readBody(response)).toString(),
      })),
    download: (request) =>
      timed(request, async (response) => {
        const bytes = await readBody(response);
        if (response.statusCode >= 300) throw statusError(request, response.statusCode, bytes.toString());
        return bytes;
      }),
    async stream(request) {
      try {
        const response = await send(request, request.signal);
        if (response.statusCode >= 300) {
          throw statusError(request, response.statusCode, (await readBody(response)).toString());
        }
        return chunksOf(response, (caught) => transportError(request.act, address, caught, request.signal));
      } catch (caught) {
        throw transportError(request.act, address, caught, request.signal);
      }
    },
    close: () => pool.destroy(),
  };
}

function headersOf(request: Omit<LibpodRequest, "deadlineMs">): Record<string, string> {
  if (request.raw) return { "content-type": request.raw.contentType };
  return request.body === undefined ? {} : { "content-type": "application/json" };
}

/** The body's chunks; what breaks it is coded like any other failure of the connection. */
async function* chunksOf(
  response: Dispatcher.ResponseData,
  toCoded: (caught: unknown) => AppError,
): AsyncGenerator<Buffer> {
  try {
    yield* response.body as AsyncIterable<Buffer>;
  } catch (caught) {
    throw toCoded(caught);
  }
}

async function readBody(response: Dispatcher.ResponseData): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_MAX_BYTES) {
      throw new AppError({
        code: "engine.bad_response",
        message: `the engine's answer is larger than ${BODY_MAX_BYTES} bytes`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function deadlineError(request: LibpodRequest, address: string): AppError {
  return new AppError({
    code: "engine.unavailable",
    message: `${request.act}: the container engine at ${address} did not answer within ${Math.round(request.deadlineMs / 1000)} s`,
    hint: "see: lane doctor",
    retry: "retryable",
    details: { method: request.method, path: request.path },
  });
}

/** The connection itself failed: nothing is known of what the engine did. */
function transportError(act: string, address: string, caught: unknown, signal: AbortSignal | undefined): AppError {
  if (caught instanceof AppError) return caught;
  throwIfAborted(signal);
  const error = toError(caught);
  return new AppError({
    code: "engine.unavailable",
    message: `${act}: the container engine at ${address} does not answer (${errnoOf(caught) ?? error.message})`,
    hint: "see: lane doctor",
    retry: "retryable",
    cause: error,
  });
}

/** A status that the caller did not expect, with the engine's own words as the cause. */
export function statusError(
  { act, method, path }: Pick<LibpodRequest, "act" | "method" | "path">,
  status: number,
  text: string,
): AppError {
  const cause = causeText(text);
  const code = status === 404 ? "engine.not_found" : status === 409 ? "engine.conflict" : "engine.request_failed";
  return new AppError({
    code,
    message: `${act} failed: ${cause}`,
    hint: "see: lane doctor, and the engine's own log",
    retry: status >= 500 ? "retryable" : "terminal",
    details: { method, path, status, cause },
  });
}

/** The `cause` and `message` of the engine's error body, or the body itself, cut to one short line. */
export function causeText(text: string): string {
  let line = text;
  try {
    const body = JSON.parse(text) as { message?: unknown };
    if (typeof body.message === "string") line = body.message;
  } catch {
    // Not JSON: the text itself is all there is.
  }
  const flat = line.replace(/\s+/g, " ").trim();
  return flat.length > 600 ? `${flat.slice(0, 597)}...` : flat || "no reason was given";
}
