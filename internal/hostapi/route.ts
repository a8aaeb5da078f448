import type { Clock } from "../base/index.ts";
import { type ApiSchema, emptyQuerySchema, parseWith } from "../protocol/index.ts";
import type { LoginDesk } from "./login.ts";
import type { Metrics } from "./metrics.ts";
import type { ApiLog, HostApiPorts } from "./ports.ts";
import type { TerminalDesk } from "./terminal.ts";

/** What handlers work with. */
export interface RouteDeps {
  readonly ports: HostApiPorts;
  readonly clock: Clock;
  readonly log: ApiLog;
  readonly login: LoginDesk;
  readonly metrics: Metrics;
  readonly terminals: TerminalDesk;
  /** Aborts when the daemon stops. */
  readonly stopping: AbortSignal;
  readonly version: string;
  /** The API's description as JSON text. */
  readonly openApi: () => string;
}

/** A call after validation. */
export interface Call<B, Q> {
  /** The `{id}` of the path, decoded; empty where the path has none. */
  readonly id: string;
  readonly query: Q;
  readonly body: B;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
  /** A header, null when absent. */
  readonly header: (name: string) => string | null;
  /** Did it come over the unix socket? */
  readonly isLocal: boolean;
}

/** What a handler answers. */
export type Reply =
  | { readonly kind: "json"; readonly status: number; readonly json: unknown }
  | { readonly kind: "text"; readonly contentType: string; readonly text: string }
  | { readonly kind: "empty" }
  | { readonly kind: "stream"; readonly stream: ReadableStream<Uint8Array> };

/** An answer in the API's description. */
export interface Answer {
  readonly status: number;
  readonly description: string;
  readonly schema?: ApiSchema<unknown>;
  /** Default `application/json`. */
  readonly contentType?: string;
}

/** One route as it is written down: what is served and what is described are the same thing. */
export interface RouteSpec<B, Q> {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** At most one parameter, `{id}`. */
  readonly path: string;
  /** Unique; the operation's id. */
  readonly name: string;
  readonly summary: string;
  readonly tag: string;
  readonly body?: ApiSchema<B>;
  readonly query?: ApiSchema<Q>;
  readonly answers: readonly Answer[];
  /**
   * Every POST takes an `Idempotency-Key` header ({@link import("./keyed-runs.ts").KeyedRuns}). `own`: it does so by itself;
   * `never`: its answer is a secret or changes nothing, so nothing of it is kept; `together`: its handler answers at once and
   * changes nothing but the store, so that effect and kept answer are one commit.
   */
  readonly keyed?: "own" | "never" | "together";
  readonly handle: (call: Call<B, Q>, deps: RouteDeps) => Promise<Reply> | Reply;
}

/** A call before validation. */
export interface RawCall extends Omit<Call<never, never>, "query" | "body"> {
  readonly query: unknown;
  /** Parsed JSON; undefined without a body. */
  readonly body: unknown;
}

/** A route whose types have been used up: it validates by itself. */
export interface Route extends Omit<RouteSpec<unknown, unknown>, "handle"> {
  readonly run: (call: RawCall, deps: RouteDeps) => Promise<Reply> | Reply;
}

/** Turns a written-down route into one that validates query and body before its handler sees them. */
export function defineRoute<B = undefined, Q = object>(spec: RouteSpec<B, Q>): Route {
  const { handle, body, query, ...rest } = spec;
  // Without a schema of its own a route takes no parameters, and no body (an empty object passes as none).
  const querySchema: ApiSchema<unknown> = query ?? emptyQuerySchema;
  return {
    ...rest,
    ...(body === undefined ? {} : { body }),
    ...(query === undefined ? {} : { query }),
    run: (raw, deps) =>
      handle(
        {
          ...raw,
          query: parseWith(querySchema, raw.query, "the query") as Q,
          body: body === undefined ? (noBody(raw.body) as B) : parseWith(body, raw.body, "the body"),
        },
        deps,
      ),
  };
}

function noBody(body: unknown): undefined {
  if (body !== undefined) parseWith(emptyQuerySchema, body, "the body");
  return undefined;
}

/** A JSON answer. */
export function json(value: unknown, status = 200): Reply {
  return { kind: "json", status, json: value };
}

/** The answer of status 200 with this shape. */
export function ok(description: string, schema: ApiSchema<unknown>): Answer {
  return { status: 200, description, schema };
}
