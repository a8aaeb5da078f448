import {
  API_COMPONENTS,
  API_VERSION,
  type JsonSchema,
  PROBLEM_TYPE,
  problemSchema,
  toJsonSchema,
} from "../protocol/index.ts";
import type { Answer, Route } from "./route.ts";
import { ROUTES } from "./routes.ts";

/** An OpenAPI 3.1 document. */
export type OpenApiDocument = Readonly<Record<string, unknown>>;

const problem = {
  description: "Anything that went wrong",
  content: { [PROBLEM_TYPE]: { schema: toJsonSchema(problemSchema) } },
};

/** Describes every route from the schemas it is validated with. Deterministic: docs/openapi.json is its output. */
export function buildOpenApi(): OpenApiDocument {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) };
  }
  const schemas = Object.fromEntries(
    Object.entries(API_COMPONENTS).map(([name, schema]) => [name, toJsonSchema(schema, { inline: true })]),
  );
  return {
    openapi: "3.1.0",
    info: {
      title: "Lanekeeper host API",
      version: String(API_VERSION),
      description:
        "Served by laned on a unix socket (no token) and on loopback TCP (bearer token on every route). " +
        "Fields are only ever added.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:4711" }],
    security: [{ token: [] }],
    paths,
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } }, schemas },
  };
}

function operation(route: Route): JsonSchema {
  const parameters = [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)];
  return {
    operationId: route.name,
    summary: route.summary,
    tags: [route.tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: toJsonSchema(route.body) } } } }),
    responses: { ...responses(route.answers), default: problem },
  };
}

/** Answers by status; several media types of one status stand together. */
function responses(answers: readonly Answer[]): JsonSchema {
  const out: Record<string, { description: string; content?: Record<string, unknown> }> = {};
  for (const answer of answers) {
    const before = out[answer.status];
    const type = answer.contentType ?? "application/json";
    const content =
      answer.status === 204 ? {} : { [type]: answer.schema ? { schema: toJsonSchema(answer.schema) } : {} };
    out[answer.status] = {
      description: before === undefined ? answer.description : `${before.description}; or: ${answer.description}`,
      ...(answer.status === 204 ? {} : { content: { ...before?.content, ...content } }),
    };
  }
  return out;
}

function pathParameters(route: Route): readonly JsonSchema[] {
  if (!route.path.includes("{id}")) return [];
  return [{ name: "id", in: "path", required: true, schema: { type: "string" } }];
}

function queryParameters(route: Route): readonly JsonSchema[] {
  if (route.query === undefined) return [];
  const schema = toJsonSchema(route.query, { inline: true }) as { readonly properties?: Record<string, JsonSchema> };
  return Object.entries(schema.properties ?? {}).map(([name, of]) => ({ name, in: "query", schema: of }));
}

function headerParameters(route: Route): readonly JsonSchema[] {
  const text = (name: string) => ({ name, in: "header", schema: { type: "string" } });
  const streams = route.answers.some((answer) => answer.contentType === "text/event-stream");
  const keyed = route.method === "POST" && route.keyed !== "never";
  return [...(keyed ? [text("Idempotency-Key")] : []), ...(streams ? [text("Last-Event-ID")] : [])];
}
