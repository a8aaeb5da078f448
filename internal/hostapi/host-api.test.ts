import { describe, expect, it } from "vitest";
import { ROUTES } from "./routes.ts";
import { makeBench } from "./testing.ts";
import { bareOf, callRoute as call } from "./testing-call.ts";
import { AT_MS, makeJob } from "./testing-values.ts";

const LANE = "demo-1111111111";
const JOB = "01jobjobjobjobjobjobjobjob";
const iso = new Date(AT_MS).toISOString();

describe("routes", () => {
  const settings = { pids: 10, env: { A: "b" } };
  const making = { agent: "claude", setup: ["npm ci", ["make", "x"]], ports: [3000] };
  const approval = { sha256: "a".repeat(64), word: "approved" };
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
    ["PATCH", "/v1/workspaces/shop", { settings: making }, 200, [["laneConfig.patchWorkspace", "ws1", making]]],
    ["PATCH", "/v1/workspaces/shop", { settings: { drift: "now" } }, 400, []],
    ["GET", "/v1/workspaces/shop/repository?base=v1", undefined, 200, [["laneConfig.repository", "ws1", "v1", {}]]],
    [
      "POST",
      "/v1/workspaces/shop/approve",
      approval,
      200,
      [
        ["laneConfig.decide", "ws1", { base: null, ...approval }, {}],
        ["laneConfig.repository", "ws1", null, {}],
      ],
    ],
    ["POST", "/v1/workspaces/shop/approve", { ...approval, sha256: "ab" }, 400, []],
    ["GET", "/v1/lanes/demo/config", undefined, 200, [["laneConfig.laneConfig", "demo-1111111111", {}]]],
    ["POST", "/v1/lanes/demo/setup", { skip: true }, 200, [["laneConfig.setUp", "demo-1111111111", { skip: true }]]],
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
    ["DELETE", "/v1/lanes/demo", undefined, 200, [["lanes.remove", LANE, { force: false, deleteBranch: false }]]],
    [
      "DELETE",
      "/v1/lanes/demo?force=1&deleteBranch=1",
      undefined,
      200,
      [["lanes.remove", LANE, { force: true, deleteBranch: true }]],
    ],
    ["GET", "/v1/lanes?git=1", undefined, 200, [["lanes.listWithGit", {}]]],
    ["GET", "/v1/lanes/demo/disk", undefined, 200, [["lanes.diskOf", LANE, {}]]],
    ["GET", "/v1/prunable", undefined, 200, [["lanes.prunable", {}]]],
    ["POST", "/v1/images/prune", undefined, 200, [["lanes.pruneImages", {}]]],
    ["GET", "/v1/clones", undefined, 200, [["workspaces.clones"]]],
    ["POST", "/v1/workspaces", { url: "https://h/x" }, 201, [["workspaces.add", { url: "https://h/x" }, {}]]],
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
      `/v1/jobs/${JOB}/withdraw`,
      undefined,
      200,
      [
        ["jobs.findJob", JOB],
        ["jobs.withdraw", JOB],
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
    ["GET", "/v1/lanes/demo/diff", undefined, 200, [["git.diff", LANE, expect.anything(), {}]]],
    ["POST", "/v1/lanes/demo/merge", {}, 200, [["git.merge", LANE, expect.anything(), {}]]],
    ["GET", "/v1/status", undefined, 200, [["status.status"]]],
    [
      "GET",
      "/v1/inbox?kind=question&limit=2",
      undefined,
      200,
      [["inbox.list", { bucket: "open", kind: "question", limit: 3 }]],
    ],
    ["GET", "/v1/inbox/01item", undefined, 200, [["inbox.get", "01item"]]],
    ["POST", "/v1/inbox/01item/answer", { answer: "a" }, 200, [["inbox.answer", "01item", "a", "cli"]]],
    ["POST", "/v1/inbox/01item/snooze", { forMs: 5000 }, 200, [["inbox.snooze", "01item", 5000]]],
    ["POST", "/v1/inbox/01item/done", undefined, 200, [["inbox.done", "01item", "cli"]]],
    ["POST", "/v1/inbox/01item/reopen", undefined, 200, [["inbox.reopen", "01item"]]],
    ["POST", "/v1/inbox/01item/read", { read: true }, 200, [["inbox.markRead", "01item", true]]],
    ["POST", "/v1/login-codes", undefined, 201, []],
    ["POST", "/v1/login", { code: "none" }, 401, []],
    ["POST", "/v1/lanes/demo/terminal", { cols: 80, rows: 24 }, 201, [["terminals.check", LANE]]],
    ["GET", "/v1/doctor", undefined, 200, [["status.doctor", {}]]],
    ["POST", "/v1/shutdown", undefined, 202, [["status.shutdown"]]],
    ["GET", "/healthz", undefined, 200, []],
    ["GET", "/readyz", undefined, 200, [["status.readiness"]]],
    ["GET", "/metrics", undefined, 200, [["credentials.list"], ["credentials.list"]]],
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
