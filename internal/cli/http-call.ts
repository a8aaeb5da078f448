import { type IncomingMessage, request } from "node:http";
import { AppError, abortReason, errnoOf, toError } from "../base/index.ts";

/**
 * HTTP over the daemon's unix socket. Node's own client: undici costs 60 ms of start-up time here and brings nothing
 * that one short-lived process on a unix socket needs.
 */
export interface HttpCall {
  readonly socketPath: string;
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Aborts the wait; what was sent may still take effect. */
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose body has not been read yet. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: IncomingMessage;
}

/**
 * Sends a request and resolves with the head of the answer.
 * @throws daemon.unreachable (with `details.sent`: the daemon may have got the request), cancelled
 */
export function openCall(call: HttpCall): Promise<HttpAnswer> {
  const { signal } = call;
  const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortReason(signal));
    let connected = false;
    const outgoing = request(
      {
        socketPath: call.socketPath,
        method: call.method,
        path: call.path,
        // A new connection per call: a kept one can die with the daemon between two calls.
        agent: false,
        headers: {
          host: "localhost",
          accept: "application/json",
          ...(payload === undefined ? {} : { "content-type": "application/json", "content-length": payload.length }),
          ...call.headers,
        },
        ...(signal === undefined ? {} : { signal }),
      },
      (answer) =>
        resolve({
          status: answer.statusCode ?? 0,
          contentType: answer.headers["content-type"] ?? "",
          body: answer,
        }),
    );
    outgoing.on("socket", (socket) => socket.once("connect", () => (connected = true)));
    outgoing.on("error", (error) =>
      reject(signal?.aborted ? abortReason(signal) : toUnreachable(error, call, connected)),
    );
    outgoing.end(payload);
  });
}

/** Reads a body to its end. @throws daemon.unreachable when it breaks off, cancelled */
export async function readBody(call: HttpCall, answer: HttpAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer.body) chunks.push(chunk as Buffer);
  } catch (caught) {
    throw call.signal?.aborted ? abortReason(call.signal) : toUnreachable(caught, call, true);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What a broken connection means to the person at the terminal. */
export function toUnreachable(caught: unknown, call: HttpCall, sent: boolean): AppError {
  const errno = errnoOf(caught);
  const at = call.socketPath;
  const message = sent
    ? `laned closed the connection (${errno ?? toError(caught).message})`
    : errno === "EACCES" || errno === "EPERM"
      ? `laned's socket ${at} belongs to another user`
      : `laned is not running (no answer at ${at})`;
  return new AppError({
    code: "daemon.unreachable",
    message,
    hint: sent ? "see `lane status`; `lane up` starts laned again" : "start it with `lane up`",
    retry: "retryable",
    details: { socket: at, sent, ...(errno === undefined ? {} : { errno }) },
    cause: caught,
  });
}
