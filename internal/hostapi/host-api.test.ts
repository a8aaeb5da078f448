import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { problemSchema } from "../protocol/index.ts";
import { ROUTES } from "./routes.ts";
import { AT_MS, type Bench, makeBench, makeJob, makeLane } from "./testing.ts";

const LANE = "demo-1111111111";
const JOB = "01jobjobjobjobjobjobjobjob";
const iso = new Date(AT_MS).toISOString();

/** A route's path as it is written down. */
function bareOf(path: string): string {
  return (path.split("?")[0] ?? "").replace(/^(\/v1\/(lanes|jobs|workspaces|agents|credentials))\/[^/]+/, "$1/{id}");
}

/** Sends a request and checks the answer against what the route says of itself. */
async function call(bench: Bench, method: string, path: string, body?: unknown, headers?: Record<string, string>) {
  const response = await bench.request(method, path, body, headers);
  const text = await response.text();
  const json: unknown = text === "" ? null : JSON.parse(text);
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

describe("routes", () => {
  const settings = { pids: 10, env: { A: "b" } };
  const command = { kind: "command", argv: ["make", "test"] };
  const spec = { work: command, key: null, deadlineMs: null, priority: 0, retry: "never" };
  const wait = { waitMs: 120_000 };
  const pinned = { agent: "claude", version: "2.0.0" };
  const known = { agent: "claude", version: "1.0.0" };
  const cases: readonly (readonly [method: string, path: string, body: unknown, status: number, calls: unknown])[] = [
    ["GET", "/v1/workspaces", undefined, 200, []],
    ["POST", "/v1/workspaces", { path: "/src/x" }, 201, [["workspaces.add", { path: "/src/x" }, {}]]],
    ["GET", "/v1/agents", undefined, 200, [["agents.list"]]],
    ["POST", "/v1/agents", pinned, 201, [["agents.install", pinned, {}]]],
    ["POST", "/v1/agents", known, 200, [["agents.install", known, {}]]],
    ["PATCH", "/v1/agents/claude", { version: null }, 200, [["agents.use", "claude", null]]],
    ["GET", "/v1/credentials", undefined, 200, [["credentials.list"]]],
    ["POST", "/v1/credentials/claude/refresh", undefined, 200, [["credentials.refresh", "claude", {}]]],
    ["DELETE", "/v1/agents/claude?version=1.0.0", undefined, 204, [["agents.remove", "claude", "1.0.0"]]],
    ["DELETE", "/v1/workspaces/shop", undefined, 204, [["workspaces.remove", "ws1", {}]]],
    ["GET", "/v1/lanes", undefined, 200, [["lanes.list", {}]]],
    [
      "POST",
      "/v1/lanes",
      { name: "new", workspace: "blog", from: "main", branch: "b", settings },
      201,
      [["lanes.add", { workspaceId: "ws2", name: "new", from: "main", branch: "b", settings }, {}]],
    ],
    [
      "POST",
      "/v1/lanes",
      { name: "new", workspace: "ws1", dryRun: true },
      200,
      [["lanes.planAdd", { workspaceId: "ws1", name: "new", settings: {} }, {}]],
    ],
    ["GET", "/v1/lanes/demo", undefined, 200, [["lanes.get", LANE, {}]]],
    ["PATCH", "/v1/lanes/demo", { settings }, 200, [["lanes.patch", LANE, settings, {}]]],
    ["DELETE", "/v1/lanes/demo", undefined, 204, [["lanes.remove", LANE, { force: false }]]],
    ["DELETE", "/v1/lanes/demo?force=1", undefined, 204, [["lanes.remove", LANE, { force: true }]]],
    ["POST", "/v1/lanes/demo/ensure", undefined, 200, [["lanes.ensure", LANE, wait]]],
    ["POST", "/v1/lanes/demo/ensure?wait=0", {}, 200, [["lanes.ensure", LANE, { waitMs: 0 }]]],
    ["POST", "/v1/lanes/demo/start?wait=5", undefined, 200, [["lanes.start", LANE, { waitMs: 5 }]]],
    ["POST", "/v1/lanes/demo/stop", undefined, 200, [["lanes.stop", LANE, wait]]],
    ["POST", "/v1/lanes/demo/sync", undefined, 200, [["lanes.sync", LANE, {}]]],
    ["POST", "/v1/lanes/demo/restart", undefined, 200, [["lanes.restart", LANE, { ...wait, now: false }]]],
    ["POST", "/v1/lanes/demo/recreate?now=true", undefined, 200, [["lanes.recreate", LANE, { ...wait, now: true }]]],
    ["GET", "/v1/lanes/demo/plan", undefined, 200, [["lanes.plan", LANE, "ensure", {}]]],
    ["GET", "/v1/lanes/demo/plan?intent=remove", undefined, 200, [["lanes.plan", LANE, "remove", {}]]],
    ["GET", "/v1/lanes/demo/drift", undefined, 200, [["lanes.drift", LANE, {}]]],
    ["GET", "/v1/lanes/demo/history?limit=5", undefined, 200, [["lanes.history", LANE, { limit: 5 }]]],
    ["GET", "/v1/lanes/demo/logs", undefined, 200, [["lanes.containerLogs", LANE, { lines: 200 }]]],
    [
      "POST",
      "/v1/lanes/demo/exec-plan",
      { tty: true, argv: ["sh"] },
      200,
      [["lanes.execPlan", LANE, { tty: true, argv: ["sh"] }, {}]],
    ],
    ["GET", "/v1/lanes/demo/jobs", undefined, 200, [["jobs.listJobs", { laneId: LANE, limit: 50 }]]],
    ["POST", "/v1/lanes/demo/jobs", command, 201, [["jobs.submit", LANE, spec]]],
    ["GET", "/v1/jobs?limit=2&before=x", undefined, 200, [["jobs.listJobs", { before: "x", limit: 2 }]]],
    ["GET", `/v1/jobs/${JOB}`, undefined, 200, [["jobs.findJob", JOB]]],
    [
      "GET",
      "/v1/jobs/01job/events?after=1&limit=3",
      undefined,
      200,
      [
        ["jobs.findJob", "01job"],
        ["jobs.readEvents", JOB, { after: 1, limit: 3 }],
      ],
    ],
    [
      "POST",
      `/v1/jobs/${JOB}/cancel`,
      undefined,
      200,
      [
        ["jobs.findJob", JOB],
        ["jobs.cancel", JOB],
      ],
    ],
    [
      "POST",
      `/v1/jobs/${JOB}/retry`,
      undefined,
      200,
      [
        ["jobs.findJob", JOB],
        ["jobs.retry", JOB],
      ],
    ],
    ["GET", "/v1/events?follow=0", undefined, 200, []],
    ["GET", "/v1/status", undefined, 200, [["status.status"]]],
    ["POST", "/v1/shutdown", undefined, 202, [["status.shutdown"]]],
    ["GET", "/healthz", undefined, 200, []],
    ["GET", "/readyz", undefined, 200, [["status.readiness"]]],
    ["GET", "/openapi.json", undefined, 200, []],
  ];
  it.each(cases)("%s %s", async (method, path, body, status, calls) => {
    const bench = makeBench();
    bench.jobs.push(makeJob());
    const answer = await call(bench, method, path, body);
    expect([answer.status, bench.calls]).toEqual([status, calls]);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-z]{26}$/);
  });

  it("every route has a test above", () => {
    const tested = new Set(cases.map(([method, path]) => `${method} ${bareOf(path)}`));
    expect(ROUTES.map((route) => `${route.method} ${route.path}`).filter((route) => !tested.has(route))).toEqual([]);
    expect(new Set(ROUTES.map((route) => route.name)).size).toBe(ROUTES.length);
  });

  it("says 503 while a check fails, with the checks", async () => {
    const bench = makeBench();
    const ports = { ...bench.ports.status, readiness: () => ({ store: true, engine: false }) };
    Object.assign(bench.ports.status, ports);
    const response = await bench.request("GET", "/readyz");
    expect([response.status, await response.json()]).toEqual([
      503,
      { ready: false, checks: { store: true, engine: false } },
    ]);
  });

  it("shows a lane as the protocol has it", async () => {
    const { json } = await call(makeBench(), "GET", "/v1/lanes/demo");
    expect(json).toMatchObject({
      id: LANE,
      workspace: "ws1",
      state: "ready",
      since: iso,
      workerPid: 77,
      endpoint: "http://127.0.0.1:40000",
      createdAt: iso,
    });
  });
});

describe("jobs", () => {
  const body = { kind: "command", argv: ["true"] };
  const submit = (bench: Bench, key?: string, more: object = {}) =>
    call(
      bench,
      "POST",
      "/v1/lanes/demo/jobs",
      { ...body, ...more },
      key === undefined ? {} : { "idempotency-key": key },
    );

  it("takes its key from the header or the body; a known key answers 200 with the first job", async () => {
    const bench = makeBench();
    const first = await submit(bench, "k");
    const again = await submit(bench, undefined, { key: "k" });
    expect([first.status, again.status, bench.jobs.length]).toEqual([201, 200, 1]);
    expect((again.json as { id: string }).id).toBe((first.json as { id: string }).id);
    expect((await submit(bench, "k", { key: "k" })).status).toBe(200);
    expect((await submit(bench, "k", { key: "other" })).status).toBe(400);
    expect((await submit(bench, "k".repeat(129))).status).toBe(400);
    bench.fail("jobs.submit", new AppError({ code: "request.key_conflict", message: "another body" }));
    expect((await submit(bench, "k")).status).toBe(422);
  });

  it("submits prompts", async () => {
    const bench = makeBench();
    await call(bench, "POST", "/v1/lanes/demo/jobs", {
      kind: "prompt",
      prompt: "do it",
      deadlineMs: 5,
      priority: 2,
      retry: "on_lost",
    });
    expect(bench.calls).toEqual([
      [
        "jobs.submit",
        LANE,
        {
          work: { kind: "prompt", prompt: "do it", agent: null, session: "new" },
          key: null,
          deadlineMs: 5,
          priority: 2,
          retry: "on_lost",
        },
      ],
    ]);
  });

  it("shows how a job stands", async () => {
    const bench = makeBench();
    const result = { exitCode: 3, signal: null, stderrTail: "boom", truncated: true };
    const error = { code: "exit", message: "exit code 3" };
    bench.jobs.push(
      makeJob({ startedAtMs: AT_MS, endedAtMs: AT_MS, laneId: "gone" }, { phase: "failed", attempt: 1, result, error }),
    );
    expect((await call(bench, "GET", `/v1/jobs/${JOB}`)).json).toMatchObject({
      laneName: "gone",
      state: "failed",
      exitCode: 3,
      truncated: true,
      error: { code: "exit", message: "exit code 3", stderrTail: "boom" },
      endedAt: iso,
    });
    bench.jobs[0] = makeJob({}, { phase: "running", attempt: 1, generation: 1, reachable: false, cancelling: false });
    expect((await call(bench, "GET", `/v1/jobs/${JOB}`)).json).toMatchObject({
      laneName: "demo",
      detail: "its worker is out of reach",
      waiting: null,
    });
  });

  it("shows where the files of the latest attempt are", async () => {
    const bench = makeBench();
    bench.jobs.push(makeJob({}, { phase: "lost", attempt: 2, error: { code: "spool_lost", message: "gone" } }));
    const { json } = await call(bench, "GET", `/v1/jobs/${JOB}`);
    expect(json).toMatchObject({ files: { stream: `/state/jobs/${JOB}/2.ndjson`, failure: null } });
  });

  it("shows when a running job last got on, and that it does not any more", async () => {
    const bench = makeBench();
    bench.jobs.push(makeJob({}, { phase: "running", attempt: 1, generation: 1, reachable: true, cancelling: false }));
    const show = async () => (await call(bench, "GET", `/v1/jobs/${JOB}`)).json;
    expect(await show()).toMatchObject({ detail: null, lastProgressAt: null, stuck: false });
    bench.progress.set(JOB, { lastAtMs: AT_MS, stuckForMs: null });
    expect(await show()).toMatchObject({ detail: null, lastProgressAt: iso, stuck: false });
    bench.progress.set(JOB, { lastAtMs: AT_MS, stuckForMs: 720_000 });
    expect(await show()).toMatchObject({ detail: "no progress for 12m", lastProgressAt: iso, stuck: true });
  });

  it("shows what a queued job waits for", async () => {
    const bench = makeBench();
    bench.jobs.push(makeJob());
    bench.waiting.set(JOB, "memory");
    const waiting = expect.objectContaining({ state: "queued", waiting: "memory" });
    expect((await call(bench, "GET", `/v1/jobs/${JOB}`)).json).toEqual(waiting);
    expect((await call(bench, "GET", "/v1/jobs")).json).toEqual([waiting]);
    expect((await call(bench, "GET", "/v1/lanes/demo/jobs")).json).toEqual([waiting]);
  });
});

describe("naming a lane", () => {
  const names = async (bench: Bench, ref: string, workspace?: string) => {
    const path = `/v1/lanes/${encodeURIComponent(ref)}${workspace === undefined ? "" : `?workspace=${workspace}`}`;
    const { status, json } = await call(bench, "GET", path);
    const { id, code, detail, hint, details } = json as Record<string, string>;
    return { status, id, code, detail, hint, details };
  };
  const bench = makeBench();
  bench.lanes.push(
    makeLane({ id: "demo-2222222222", workspaceId: "ws2" }),
    makeLane({ id: "demo-two-333333", name: "demo-two" }),
    makeLane({ id: "Fix-4", name: "Fix" }),
    makeLane({ id: "fix-later-5", name: "fix-later" }),
  );

  it.each([
    ["an id", LANE, undefined, LANE],
    ["an exact name that begins another", "Fix", undefined, "Fix-4"],
    ["a unique beginning of a name", "demo-t", undefined, "demo-two-333333"],
    ["a unique beginning of an id", "demo-22", undefined, "demo-2222222222"],
    ["a name that the workspace decides", "demo", "blog", "demo-2222222222"],
    ["a beginning that the workspace decides", "de", "blog", "demo-2222222222"],
    ["a name outside the preferred workspace", "demo-two", "blog", "demo-two-333333"],
  ])("%s", async (_, ref, workspace, id) => {
    expect(await names(bench, ref, workspace)).toMatchObject({ status: 200, id });
  });

  it("lists the candidates of an ambiguous name", async () => {
    expect(await names(bench, "demo")).toMatchObject({
      status: 409,
      code: "lane.ambiguous",
      detail: '"demo" may be shop/demo (demo-1111111111), blog/demo (demo-2222222222)',
      hint: "name the workspace too, or use the lane's id",
      details: { candidates: [{ id: LANE, name: "demo", workspace: "shop" }, { id: "demo-2222222222" }] },
    });
    expect(await names(bench, "dem", "shop")).toMatchObject({ code: "lane.ambiguous", hint: "write more of the name" });
  });

  it("suggests what was meant, and never guesses", async () => {
    expect(await names(bench, "dmeo-two")).toMatchObject({
      status: 404,
      code: "lane.not_found",
      hint: "did you mean demo-two?",
    });
    expect(await names(bench, "zzz")).toMatchObject({ code: "lane.not_found", hint: "see lane ls" });
    expect(await names(bench, "demo", "shpo")).toMatchObject({
      code: "workspace.not_found",
      hint: "did you mean shop?",
    });
    expect(await names(bench, "../demo")).toMatchObject({ code: "lane.not_found" });
  });

  it("a new lane needs a workspace where there are several", async () => {
    expect((await call(bench, "POST", "/v1/lanes", { name: "x" })).json).toMatchObject({
      code: "request.invalid",
      detail: "there are 2 workspaces, and none is named: shop, blog",
    });
    expect((await call(bench, "POST", "/v1/lanes", { name: "../x", workspace: "shop" })).json).toMatchObject({
      code: "lane.invalid_name",
    });
  });
});

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
    ["PUT", "/v1/lanes", {}, 404, /there is no PUT/],
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
    const shutdown = await bench.api.app.request("/v1/shutdown", { method: "POST" }, { via: { kind: "tcp" } });
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
