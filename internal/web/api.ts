import type { ApiProblem } from "../protocol/index.ts";
import { parseEventStream, type StreamMessage } from "./data/event-stream.ts";

/** What a call may be given beside its body. */
export interface CallOptions {
  /** Ends the call. */
  readonly signal?: AbortSignal;
  /** `Idempotency-Key`. */
  readonly key?: string;
  /** The browser finishes the call even when the page goes. */
  readonly keepalive?: boolean;
}

/** The host API as the page uses it. */
export interface Api {
  /**
   * One call. The answer's JSON, or undefined for an empty one; its shape is trusted, it is our own server.
   * @throws ApiError; AbortError when the signal aborts
   */
  call<T = unknown>(method: string, path: string, body?: unknown, opts?: CallOptions): Promise<T>;
  /** An event stream. Ends when the server ends it. `after`: id of the last message seen. @throws ApiError */
  stream(
    path: string,
    opts: { readonly signal: AbortSignal; readonly after: string | null },
  ): AsyncGenerator<StreamMessage>;
}

/** A call that failed: what the server said, or that it could not be reached (`status` 0, code `daemon.unreachable`). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly hint: string | null;

  constructor(init: { status: number; code: string; message: string; hint?: string | undefined; cause?: unknown }) {
    super(init.message, { cause: init.cause });
    this.status = init.status;
    this.code = init.code;
    this.hint = init.hint ?? null;
  }
}

/** Calls with the bearer token. `onUnauthorized` hears when the server does not take the token (any more). */
export function createApi(deps: {
  readonly token: string;
  readonly fetch: typeof fetch;
  readonly onUnauthorized: () => void;
}): Api {
  const send = async (path: string, init: RequestInit & { headers: Record<string, string> }): Promise<Response> => {
    const headers = { ...init.headers, authorization: `Bearer ${deps.token}` };
    let response: Response;
    try {
      response = await deps.fetch(path, {
        ...init,
        headers,
        credentials: "omit",
        redirect: "error",
        cache: "no-store",
      });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new ApiError({ status: 0, code: "daemon.unreachable", message: "the daemon does not answer", cause });
    }
    if (response.ok) return response;
    if (response.status === 401) deps.onUnauthorized();
    throw await toApiError(response);
  };
  return {
    async call<T>(method: string, path: string, body?: unknown, opts: CallOptions = {}): Promise<T> {
      const response = await send(path, {
        method,
        headers: {
          ...(method === "GET" ? {} : { "content-type": "application/json" }),
          ...(opts.key === undefined ? {} : { "idempotency-key": opts.key }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(opts.signal === undefined ? {} : { signal: opts.signal }),
        ...(opts.keepalive === undefined ? {} : { keepalive: opts.keepalive }),
      });
      const text = await response.text();
      return (text === "" ? undefined : JSON.parse(text)) as T;
    },
    async *stream(path, { signal, after }) {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (after !== null) headers["last-event-id"] = after;
      const response = await send(path, { method: "GET", headers, signal });
      if (response.body) yield* parseEventStream(response.body, signal);
    },
  };
}

/** What to tell a person about anything that was thrown. */
export function describeError(error: unknown): string {
  if (error instanceof ApiError) return error.hint === null ? error.message : `${error.message}. ${error.hint}`;
  return error instanceof Error ? error.message : String(error);
}

async function toApiError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const problem = JSON.parse(text) as Partial<ApiProblem>;
    return new ApiError({
      status: response.status,
      code: problem.code ?? `http.${response.status}`,
      message: problem.detail ?? `the daemon answered ${response.status}`,
      hint: problem.hint,
    });
  } catch {
    return new ApiError({
      status: response.status,
      code: `http.${response.status}`,
      message: `the daemon answered ${response.status}`,
    });
  }
}
