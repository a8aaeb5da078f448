import { describe, expect, it } from "vitest";
import { AppError, type ErrorCode } from "../base/index.ts";
import { addLaneSchema, problemSchema, submitJobSchema } from "./api.ts";
import { EXIT, exitCodeOf, isErrorCode, parseProblem, statusOf, toProblem } from "./envelope.ts";
import { parseWith } from "./json-schema.ts";

describe("toProblem and parseProblem", () => {
  const error = new AppError({
    code: "lane.would_lose_work",
    message: "2 files",
    hint: "use --force",
    retry: "retryable",
    details: { files: 2 },
  });

  it("carry an error over the wire and back", () => {
    const problem = toProblem(error, "r1");
    expect(problemSchema.parse(JSON.parse(JSON.stringify(problem)))).toEqual(problem);
    expect(parseProblem(409, problem)).toMatchObject({
      code: "lane.would_lose_work",
      message: "2 files",
      hint: "use --force",
      retry: "retryable",
      details: { files: 2, requestId: "r1" },
    });
    const bare = toProblem(new AppError({ code: "cancelled", message: "x" }), "r2");
    expect([Object.keys(bare).includes("hint"), Object.keys(bare).includes("details")]).toEqual([false, false]);
  });

  it("a code of a newer daemon becomes the nearest one, the code stays in the details", () => {
    const problem = { ...toProblem(error, "r1"), code: "lane.on_the_moon" };
    expect(parseProblem(409, problem)).toMatchObject({
      code: "request.invalid",
      message: "2 files",
      details: { code: "lane.on_the_moon" },
    });
    expect(isErrorCode("toString")).toBe(false);
  });

  it.each<[number, unknown, ErrorCode]>([
    [401, null, "request.unauthorized"],
    [404, "<html>", "request.not_found"],
    [418, {}, "request.invalid"],
    [500, undefined, "internal.bug"],
    [503, [], "daemon.stopping"],
    [504, 1, "timeout"],
  ])("status %d with %j is %s", (status, body, code) => {
    expect(parseProblem(status, body)).toMatchObject({ code, message: `the daemon answered ${status}` });
  });
});

describe("the tables", () => {
  it.each<[ErrorCode, number, number]>([
    ["usage.invalid", 400, EXIT.usage],
    ["config.invalid", 400, EXIT.usage],
    ["lane.not_found", 404, EXIT.notFound],
    ["job.not_found", 404, EXIT.notFound],
    ["lane.exists", 409, EXIT.conflict],
    ["request.key_conflict", 422, EXIT.conflict],
    ["engine.image_missing", 409, EXIT.engine],
    ["engine.unavailable", 503, EXIT.engine],
    ["lane.worktree_missing", 409, EXIT.failed],
    ["daemon.unreachable", 503, EXIT.daemonUnreachable],
    ["timeout", 504, EXIT.timedOut],
    ["cancelled", 499, EXIT.interrupted],
    ["request.misdirected", 421, EXIT.failed],
    ["internal.bug", 500, EXIT.failed],
  ])("%s is %d and exits %d", (code, status, exit) => {
    expect([statusOf(code), exitCodeOf(code)]).toEqual([status, exit]);
  });
});

describe("parseWith", () => {
  const refused = (body: unknown) => {
    try {
      parseWith(submitJobSchema, body, "the body");
    } catch (error) {
      return error as AppError;
    }
    throw new Error("was not refused");
  };

  it("names what is wrong by JSON pointer, in the branch that was meant", () => {
    expect(refused({ kind: "command", argv: [1] })).toMatchObject({
      code: "request.invalid",
      message: "the body is not valid: /argv/0: Invalid input: expected string, received number",
      details: { issues: [{ pointer: "/argv/0" }] },
    });
    expect(refused({ kind: "prompt", prompt: "x", priority: 1000 }).message).toContain("/priority");
    expect(refused({ kind: "prompt", prompt: "x", colour: 1 }).message).toContain('Unrecognized key: "colour"');
  });

  it("hands on what is right, without prototypes", () => {
    expect(parseWith(addLaneSchema, { name: "x" }, "the body")).toEqual({ name: "x" });
    const settings = JSON.parse('{"env":{"__proto__":"x","A":"1"}}') as unknown;
    expect(parseWith(addLaneSchema, { name: "x", settings }, "the body").settings).toEqual({ env: { A: "1" } });
  });
});
