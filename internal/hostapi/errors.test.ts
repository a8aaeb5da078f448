import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { makeBench } from "./testing.ts";
import { callRoute as call } from "./testing-call.ts";

describe("errors", () => {
  it.each([
    ["POST", "/v1/lanes", { name: "x", nmae: "y" }, 400, /the body is not valid: .*Unrecognized key: "nmae"/],
    ["POST", "/v1/lanes", "{", 400, /not valid JSON/],
    ["POST", "/v1/lanes", "[1]", 400, /the body is not valid/],
    ["POST", "/v1/lanes", undefined, 400, /the body is not valid/],
    ["POST", "/v1/lanes/demo/ensure", { now: true }, 400, /the body is not valid/],
    ["POST", "/v1/lanes/demo/ensure?wait=soon", undefined, 400, /the query is not valid: \/wait/],
    ["POST", "/v1/lanes/demo/ensure?wait=-1", undefined, 400, /the query is not valid: \/wait/],
    ["POST", "/v1/lanes/demo/ensure?wait=", undefined, 400, /"wait" is empty/],
    ["POST", "/v1/lanes/demo/ensure?wait=1&wait=2", undefined, 400, /"wait" is given twice/],
    ["POST", "/v1/lanes/demo/ensure?wiat=1", undefined, 400, /Unrecognized key: "wiat"/],
    ["GET", "/v1/lanes?__proto__=1", undefined, 400, /the query is not valid/],
    ["GET", "/v1/lanes/demo/plan?intent=explode", undefined, 400, /the query is not valid: \/intent/],
    ["POST", "/v1/lanes/demo/jobs", { kind: "command", argv: [] }, 400, /\/argv/],
    ["GET", "/v1/jobs/nope", undefined, 404, /there is no job nope/],
    ["GET", "/v1/nope", undefined, 404, /there is no GET \/v1\/nope/],
    ["PUT", "/v1/lanes", {}, 405, /there is no PUT \/v1\/lanes, only GET, HEAD, POST/],
    ["DELETE", "/v1/lanes/demo/ensure", undefined, 405, /only POST/],
    ["POST", "/v1/lanes//ensure", undefined, 404, /there is no POST/],
    ["GET", "/v1/lane/context", undefined, 404, /there is no GET/],
  ])("%s %s with %j is refused", async (method, path, body, status, message) => {
    const bench = makeBench();
    const answer = await call(bench, method, path, body);
    expect(answer.status).toBe(status);
    expect((answer.json as { detail: string }).detail).toMatch(message);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(bench.calls.filter(([name]) => name !== "jobs.findJob")).toEqual([]);
    expect(bench.logged.filter(({ level }) => level === "error")).toEqual([]);
  });

  it.each([
    [undefined, 415],
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/json; charset=utf-16", 415],
    ["application/jsonp", 415],
    ["application/json", 201],
    ["Application/JSON; charset=UTF-8", 201],
  ])("content type %s is answered with %d", async (type, status) => {
    const bench = makeBench();
    const body = new TextEncoder().encode('{"kind":"command","argv":["true"]}');
    const headers = type === undefined ? {} : { "content-type": type };
    const init = { method: "POST", body, headers };
    expect((await bench.api.app.request("/v1/lanes/demo/jobs", init, { via: { kind: "unix" } })).status).toBe(status);
  });

  it("keeps code, hint, details and retry class", async () => {
    const bench = makeBench();
    const init = {
      code: "lane.would_lose_work",
      message: "2 files",
      hint: "--force",
      retry: "retryable",
      details: { files: 2 },
    } as const;
    bench.fail("lanes.remove", new AppError(init));
    const { status, json, headers } = await call(bench, "DELETE", "/v1/lanes/demo");
    expect([status, json]).toEqual([
      409,
      {
        type: "urn:lanekeeper:problem:lane.would_lose_work",
        title: "lane would lose work",
        status: 409,
        detail: "2 files",
        code: "lane.would_lose_work",
        retry: "retryable",
        hint: "--force",
        details: { files: 2 },
        requestId: headers.get("x-request-id"),
      },
    ]);
  });

  it("answers the unexpected with 500 and logs it once, under the request's id", async () => {
    const bench = makeBench();
    bench.fail("lanes.get", new TypeError("x is not a function"));
    const { status, json } = await call(bench, "GET", "/v1/lanes/demo");
    expect([status, (json as { code: string }).code]).toEqual([500, "internal.bug"]);
    const errors = bench.logged.filter(({ level }) => level === "error");
    expect(errors).toHaveLength(1);
    expect(errors[0]?.fields.requestId).toBe((json as { requestId: string }).requestId);
    bench.fail("lanes.get", "thrown text");
    expect((await call(bench, "GET", "/v1/lanes/demo")).status).toBe(500);
  });

  it("serves nothing when nobody says how the request came", async () => {
    const bench = makeBench();
    for (const path of ["/healthz", "/v1/lanes", "/openapi.json"]) {
      expect((await bench.api.app.request(path, {}, {})).status).toBe(401);
    }
    const shutdown = await bench.api.app.request(
      "/v1/shutdown",
      { method: "POST" },
      { via: { kind: "tcp", access: "api" } },
    );
    expect([shutdown.status, bench.calls]).toEqual([403, []]);
  });

  it("a prototype in a body stays data", async () => {
    const bench = makeBench();
    const text = '{"settings":{"env":{"__proto__":"x","A":"1"}}}';
    await call(bench, "PATCH", "/v1/lanes/demo", text);
    expect(({} as Record<string, unknown>).A).toBeUndefined();
    expect(bench.calls[0]?.[2]).toEqual({ env: { A: "1" } });
    expect((await call(bench, "PATCH", "/v1/lanes/demo", '{"__proto__":{"settings":{}}}')).status).toBe(400);
  });
});
