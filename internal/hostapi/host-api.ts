import type { IncomingMessage, ServerResponse } from "node:http";
import { type Context, Hono, type Next } from "hono";
import { AppError, type Clock, newId, toAppError } from "../base/index.ts";
import { statusOf } from "../protocol/index.ts";
import { type Access, type GuardPolicy, judgeRequest, type RequestHead } from "./guard.ts";
import { parseJson, parseQuery, readJsonBody, SSE_TYPE, toProblemResponse, toResponse } from "./http.ts";
import { createKeyedRuns, type KeyedRuns } from "./keyed-runs.ts";
import { createLoginDesk } from "./login.ts";
import type { Metrics } from "./metrics.ts";
import { buildOpenApi } from "./openapi.ts";
import type { ApiLog, HostApiPorts, RequestKeys } from "./ports.ts";
import type { RawCall, Reply, Route, RouteDeps } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { type PageFiles, toPageResponse } from "./static.ts";
import { createTerminalDesk, type TerminalDesk } from "./terminal.ts";

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
  /** The page; without it there is none. */
  readonly page?: PageFiles;
  readonly metrics: Metrics;
  /** Answers by the idempotency keys of their requests. */
  readonly keys: RequestKeys;
  /** Origins of a page besides the listener's own. */
  readonly allowedOrigins?: readonly string[];
}

/** How a request came in; set by the listener, never by the request. */
export type Via =
  | { readonly kind: "unix" }
  /** `access`: what it was judged as. Nothing else is served to it. */
  | { readonly kind: "tcp"; readonly access: Access };

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
  /** What becomes of WebSockets that were let in. */
  readonly terminals: TerminalDesk;
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
  const { ports, clock, metrics, stopping, version } = deps;
  const terminals = createTerminalDesk({ terminals: ports.terminals, clock, log, stopping });
  const login = createLoginDesk({ token, clock });
  const keyed = createKeyedRuns(deps.keys);
  const routeDeps: RouteDeps = { ports, clock, log, login, metrics, terminals, stopping, version, openApi };
  const app = new Hono<{ Bindings: ApiEnv }>();
  for (const route of ROUTES) {
    app.on(route.method, route.path.replace("{id}", ":id"), (c) =>
      timed(c, route, routeDeps, () => serve(c, route, routeDeps, keyed)),
    );
  }
  app.get("*", (c, next) => servePage(c, next, deps.page));
  app.notFound((c) => refuseUnknown(c, log));
  app.onError((error, c) => refuse(error, newId(), c, log));
  return {
    app,
    log,
    terminals,
    judge: (head, port) => {
      const policy: GuardPolicy = { port, token, allowedOrigins };
      return judgeRequest(head, policy);
    },
  };
}

/** The page is for browsers: it is on TCP only, where its files are the one thing that needs no token. */
async function servePage(c: Ctx, next: Next, page: PageFiles | undefined): Promise<Response | undefined> {
  const { via } = c.env;
  const file = via?.kind === "tcp" ? await page?.find(via.access, c.req.path) : null;
  if (file) return toPageResponse(file);
  await next();
  return undefined;
}

/** Counts the answer with the time it took. */
async function timed(c: Ctx, route: Route, deps: RouteDeps, answer: () => Promise<Response>): Promise<Response> {
  const startedMs = deps.clock.monotonicMs();
  const response = await answer();
  const ms = deps.clock.monotonicMs() - startedMs;
  deps.metrics.answered({ route: route.path, method: c.req.method, status: response.status, ms });
  return response;
}

async function serve(c: Ctx, route: Route, deps: RouteDeps, keyed: KeyedRuns): Promise<Response> {
  const requestId = newId();
  try {
    const call = await toRawCall(c, route);
    const reply = await keyed(route, call, () => route.run(call, deps));
    return toResponse(c.req.method === "HEAD" ? await headOf(reply) : reply, requestId);
  } catch (caught) {
    return refuse(caught, requestId, c, deps.log);
  }
}

/** Of a HEAD only the head is sent: a stream that nobody reads would be followed for ever. */
async function headOf(reply: Reply): Promise<Reply> {
  if (reply.kind !== "stream") return reply;
  await reply.stream.cancel();
  return { kind: "text", contentType: SSE_TYPE, text: "" };
}

async function toRawCall(c: Ctx, route: Route): Promise<RawCall> {
  const { via, incoming, outgoing } = c.env;
  if (via === undefined) throw new AppError({ code: "request.unauthorized", message: "it is not known who is asking" });
  const wanted: Access = route.path === "/v1/login" ? "login" : "api";
  if (via.kind === "tcp" && via.access !== wanted && via.access !== "api") {
    throw new AppError({ code: "request.unauthorized", message: "a bearer token is required" });
  }
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

/** A path that is served, by other methods, says by which. */
function refuseUnknown(c: Ctx, log: ApiLog): Response {
  const allowed = ROUTES.filter(({ path }) => matches(path, c.req.path)).map(({ method }) => method);
  if (allowed.length === 0) return refuse(notFound(c), newId(), c, log);
  const allow = [...new Set([...allowed, ...(allowed.includes("GET") ? ["HEAD"] : [])])].toSorted().join(", ");
  const error = new AppError({
    code: "request.bad_method",
    message: `there is no ${c.req.method} ${c.req.path.slice(0, 200)}, only ${allow}`,
    hint: "see /openapi.json",
  });
  const response = refuse(error, newId(), c, log);
  response.headers.set("allow", allow);
  return response;
}

function matches(route: string, path: string): boolean {
  const [wanted, given] = [route.split("/"), path.split("/")];
  return (
    wanted.length === given.length &&
    wanted.every((part, at) => part === given[at] || (part === "{id}" && given[at] !== ""))
  );
}

function notFound(c: Ctx): AppError {
  return new AppError({
    code: "request.not_found",
    message: `there is no ${c.req.method} ${c.req.path.slice(0, 200)}`,
    hint: "see /openapi.json",
  });
}
