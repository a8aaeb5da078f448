import { expect } from "vitest";
import { problemSchema } from "../protocol/index.ts";
import { ROUTES } from "./routes.ts";
import type { Bench } from "./testing.ts";

/** A route's path as it is written down. */
export function bareOf(path: string): string {
  return (path.split("?")[0] ?? "").replace(
    /^(\/v1\/(lanes|jobs|workspaces|agents|credentials|inbox))\/[^/]+/,
    "$1/{id}",
  );
}

/** Sends a request and checks the answer against what the route says of itself. */
export async function callRoute(
  bench: Bench,
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) {
  const response = await bench.request(method, path, body, headers);
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
  const json: unknown = isJson ? JSON.parse(text) : null;
  if (response.status >= 400) problemSchema.parse(json);
  else {
    const route = ROUTES.find((one) => one.method === method && one.path === bareOf(path));
    const answers = route?.answers.filter((answer) => answer.status === response.status) ?? [];
    expect(answers.length, `${method} ${path} describes its status ${response.status}`).toBeGreaterThan(0);
    const fits = answers.some((answer) => answer.schema === undefined || answer.schema.safeParse(json).success);
    expect(fits, `${method} ${path} answers as described`).toBe(true);
  }
  return { status: response.status, json: json as never, headers: response.headers };
}
