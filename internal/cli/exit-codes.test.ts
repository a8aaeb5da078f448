import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ErrorCode } from "../base/index.ts";
import { problem, runLane, type ScriptedDaemon, startScriptedDaemon } from "./testing.ts";

/** The contract's table (design sections 10 and 12), written down here once more by hand. */
const EXIT_CODES: Readonly<Record<number, readonly ErrorCode[]>> = {
  1: [
    "internal.bug",
    "internal.illegal_transition",
    "request.forbidden",
    "request.bad_method",
    "request.misdirected",
    "request.not_supported",
    "lane.worktree_missing",
    "lane.not_ready",
    "lane.failed",
    "worker.unreachable",
    "worker.impostor",
    "worker.protocol",
    "worker.probe_timeout",
    "worker.refused",
    "git.failed",
    "git.missing",
    "git.refused",
    "store.corrupt",
    "store.newer_schema",
    "store.full",
    "store.failed",
    "daemon.port_taken",
    "host.tool_missing",
  ],
  2: [
    "usage.invalid",
    "config.invalid",
    "request.invalid",
    "request.too_large",
    "request.unsupported_media",
    "lane.ambiguous",
    "lane.invalid_name",
    "workspace.invalid",
  ],
  3: ["request.not_found", "lane.not_found", "workspace.not_found", "job.not_found", "inbox.not_found"],
  4: ["request.unauthorized"],
  5: [
    "request.key_conflict",
    "lane.exists",
    "lane.foreign_container",
    "lane.busy",
    "lane.stopped",
    "lane.would_lose_work",
    "workspace.exists",
    "workspace.in_use",
    "job.not_running",
    "job.started",
    "inbox.answered",
    "inbox.expired",
    "git.conflict",
    "git.flagged",
    "daemon.already_running",
    "daemon.other_build",
  ],
  6: ["daemon.unreachable", "daemon.stopping"],
  7: ["timeout"],
  125: [
    "engine.unavailable",
    "engine.refused",
    "engine.not_found",
    "engine.conflict",
    "engine.request_failed",
    "engine.bad_response",
    "engine.image_missing",
    "engine.port_in_use",
    "engine.bad_mount",
  ],
  130: ["cancelled"],
};

describe("an error the daemon answers", () => {
  let daemon: ScriptedDaemon;
  beforeAll(async () => {
    daemon = await startScriptedDaemon();
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  const table = Object.entries(EXIT_CODES).flatMap(([exit, codes]) =>
    codes.map((code) => [code, Number(exit)] as const),
  );

  it.each(table)("%s is exit code %i, with its message and next step", async (code, exit) => {
    daemon.route("GET /v1/lanes", () => problem(code, 400, { hint: "do this" }));
    const ran = await runLane(["ls"], { socket: daemon.socket });
    expect(ran).toEqual({ code: exit, stdout: "", stderr: `error: it is ${code}\nnext:  do this\n` });
  });

  it("is passed on as it is with --json", async () => {
    daemon.route("GET /v1/lanes", () => problem("lane.exists", 409, { hint: "h", details: { lane: "x" } }));
    const { stderr } = await runLane(["ls", "--json"], { socket: daemon.socket });
    expect(JSON.parse(stderr)).toMatchObject({
      code: "lane.exists",
      detail: "it is lane.exists",
      hint: "h",
      details: { lane: "x" },
    });
  });

  it("of a later version is judged by its status", async () => {
    daemon.route("GET /v1/lanes", () => problem("lane.moonstruck", 404));
    expect((await runLane(["ls"], { socket: daemon.socket })).code).toBe(3);
  });

  it("without a body still ends well", async () => {
    daemon.route("GET /v1/lanes", () => ({ status: 500 }));
    expect((await runLane(["ls"], { socket: daemon.socket })).code).toBe(1);
  });

  it("ends by TERM with 143 and by INT with 130", async () => {
    daemon.route("GET /v1/lanes", () => "handled");
    for (const [signal, code] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
    ] as const) {
      const running = runLane(["ls"], { socket: daemon.socket });
      setTimeout(() => running.signal(signal), 50);
      expect((await running).code).toBe(code);
    }
  });
});
