import type { IncomingMessage, ServerResponse } from "node:http";
import { type Context, Hono } from "hono";
import { AppError, type Clock, newId, toAppError } from "../base/index.ts";
import { statusOf } from "../protocol/index.ts";
import { type GuardPolicy, judgeRequest, type RequestHead } from "./guard.ts";
import { parseJson, parseQuery, readJsonBody, toProblemResponse, toResponse } from "./http.ts";
import { buildOpenApi } from "./openapi.ts";
import type { ApiLog, HostApiPorts } from "./ports.ts";
import type { RawCall, Route, RouteDeps } from "./route.ts";
import { ROUTES } from "./routes.ts";

/** What the host API is made from. */
export interface HostApiDeps {
  readonly ports: HostApiPorts;
  /** Bearer token of the TCP listener. */
  readonly token: string;
  readonly log: ApiLog;
  readonly clock: Clock;
  /** Aborts when the daemon stops: streams end. */
  readonly stopping: AbortSignal;
  readonly version: string;
  /** Origins of a page besides the listener's own. */
  readonly allowedOrigins?: readonly string[];
}

/** How a request came in; set by the listener, never by the request. */
export type Via = { readonly kind: "unix" } | { readonly kind: "tcp" };

/** What a listener hands to the application with each request. */
export interface ApiEnv {
  readonly via?: Via | undefined;
  readonly incoming?: IncomingMessage | undefined;
  readonly outgoing?: ServerResponse | undefined;
}

/** The application and what its listeners need. */
export interface HostApi {
  readonly app: Hono<{ Bindings: ApiEnv }>;
  readonly log: ApiLog;
  /** Judges a request of the TCP listener on `port`; null lets it in. */
  readonly judge: (head: RequestHead, port: number) => AppError | null;
}

type Ctx = Context<{ Bindings: ApiEnv }>;

/**
 * The host API as a hono application. It serves nothing unless the listener says how the request came: a request over
 * the unix socket is the user's, one over TCP has passed {@link HostApi.judge}.
 */
export function createHostApi(deps: HostApiDeps): HostApi {
  const { token, log, allowedOrigins = [] } = deps;
  let description: string | undefined;
  const openApi = () => {
    description ??= JSON.stringify(buildOpenApi());
    return description;
  };
  const { ports, clock, stopping, version } = deps;
  const routeDeps: RouteDeps = { ports, clock, log, stopping, version, openApi };
  const app = new Hono<{ Bindings: ApiEnv }>();
  for (const route of ROUTES) {
    app.on(route.method, route.path.replace("{id}", ":id"), (c) => serve(c, route, routeDeps));
  }
  app.notFound((c) => refuse(notFound(c), newId(), c, log));
  app.onError((error, c) => refuse(error, newId(), c, log));
  return {
    app,
    log,
    judge: (head, port) => {
      const policy: GuardPolicy = { port, token, allowedOrigins };
      return judgeRequest(head, policy);
    },
  };
}

async function serve(c: Ctx, route: Route, deps: RouteDeps): Promise<Response> {
  const requestId = newId();
  try {
    const call = await toRawCall(c, route);
    return toResponse(await route.run(call, deps), requestId);
  } catch (caught) {
    return refuse(caught, requestId, c, deps.log);
  }
}

async function toRawCall(c: Ctx, route: Route): Promise<RawCall> {
  const { via, incoming, outgoing } = c.env;
  if (via === undefined) throw new AppError({ code: "request.unauthorized", message: "it is not known who is asking" });
  const { url } = c.req;
  const at = url.indexOf("?");
  let signal: AbortSignal | undefined;
  return {
    id: c.req.param("id") ?? "",
    query: at < 0 ? {} : parseQuery(new URLSearchParams(url.slice(at + 1))),
    body: route.method === "GET" ? undefined : await readBody(c, incoming),
    header: (name) => c.req.header(name) ?? null,
    isLocal: via.kind === "unix",
    get signal() {
      signal ??= goneSignal(outgoing) ?? c.req.raw.signal;
      return signal;
    },
  };
}

async function readBody(c: Ctx, incoming: IncomingMessage | undefined): Promise<unknown> {
  if (incoming !== undefined) return readJsonBody(incoming);
  // A call inside the process, as tests make them.
  const body = new Uint8Array(await c.req.raw.arrayBuffer());
  return body.length === 0 ? undefined : parseJson(body, c.req.header("content-type"));
}

/** Aborts when the connection closes before the answer was written. */
function goneSignal(outgoing: ServerResponse | undefined): AbortSignal | undefined {
  if (outgoing === undefined) return undefined;
  const gone = new AbortController();
  const abort = () => gone.abort(new AppError({ code: "cancelled", message: "the client has gone" }));
  if (outgoing.destroyed) abort();
  else {
    outgoing.once("close", () => {
      if (!outgoing.writableFinished) abort();
    });
  }
  return gone.signal;
}

/** The one place where errors become answers, and where the unexpected ones are logged. */
function refuse(caught: unknown, requestId: string, c: Ctx, log: ApiLog): Response {
  const error = toAppError(caught);
  const fields = { op: `${c.req.method} ${c.req.path}`, requestId, code: error.code, err: error };
  if (statusOf(error.code) >= 500) log.error(fields, "request failed");
  else log.debug(fields, "request refused");
  return toProblemResponse(error, requestId);
}

function notFound(c: Ctx): AppError {
  return new AppError({
    code: "request.not_found",
    message: `there is no ${c.req.method} ${c.req.path.slice(0, 200)}`,
    hint: "see /openapi.json",
  });
}
