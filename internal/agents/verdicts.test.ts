import { describe, expect, it } from "vitest";
import { AGENTS, type AgentEnd, type FailureKind, findAgent } from "./index.ts";
import { renderVerdict } from "./testing.ts";

/** The verdict on a run that ended like this after one line. */
function judge(agent: string, line: object | null, end: Partial<AgentEnd> = {}): string {
  const parser = findAgent(agent).newParser();
  if (line) parser.line(JSON.stringify(line));
  const summary = parser.summary();
  const verdict = { exitCode: 1, signal: null, stderrTail: "", endedAtMs: 0, summary, ...end };
  return renderVerdict(findAgent(agent).classify(verdict));
}

type Case = readonly [FailureKind, Readonly<Record<string, unknown>>];

describe("Claude's results without more to go by", () => {
  const CASES: readonly Case[] = [
    ["overload", { api_error_type: "overloaded_error" }],
    ["overload", { api_error_status: 500 }],
    ["login", { api_error_status: 403 }],
    ["network", { api_error: "connection_failed" }],
    ["limit", { api_error: "usage_limit_reached" }],
    ["interrupted", { subtype: "error_during_execution", terminal_reason: "aborted_tools" }],
    ["agent", { subtype: "error_max_turns" }],
    ["agent", { api_error_status: 1e308 }],
    ["login", { result: "Not logged in · Please run /login" }],
  ];

  it.each(CASES)("are %s: %j", (kind, fields) => {
    const line = { type: "result", subtype: "success", is_error: true, ...fields };
    expect(judge("claude", line)).toMatch(new RegExp(`^${kind}: `));
  });

  it("are failures by each sign of one", () => {
    const good = { type: "result", subtype: "success", is_error: false, terminal_reason: "completed" };
    expect(judge("claude", good, { exitCode: 0 })).toBe("succeeded");
    const signs = [
      { is_error: true },
      { subtype: "error_x" },
      { terminal_reason: "max_turns" },
      { api_error_status: 400 },
    ];
    for (const sign of signs) expect(judge("claude", { ...good, ...sign }, { exitCode: 0 })).not.toBe("succeeded");
  });

  it("warn of what was not allowed", () => {
    const denials = [{ tool_name: "Bash" }, { tool_name: "Bash" }, { tool_name: "Edit" }];
    const line = { type: "result", subtype: "success", permission_denials: denials };
    expect(findAgent("claude").newParser().line(JSON.stringify(line))).toContainEqual({
      type: "warning",
      message: "not allowed to use: Bash, Edit",
    });
  });
});

describe("Codex' failures", () => {
  it.each([
    ["login", "Your access token could not be refreshed. Please log out and sign in again."],
    ["login", "unexpected status 403 Forbidden: no"],
    ["overload", "unexpected status 503 Service Unavailable"],
    ["overload", "We're currently experiencing high demand, which may cause temporary errors."],
    ["refused", "unexpected status 404 Not Found: no such model"],
    ["network", "Connection failed: error sending request"],
    ["agent", "the sky fell down"],
  ])("are %s: %s", (kind, message) => {
    expect(judge("codex", { type: "turn.failed", error: { message } })).toBe(`${kind}: ${message}`);
  });
});

describe("Gemini's exit codes, which are statuses modulo 256", () => {
  const CASES: readonly (readonly [FailureKind, number])[] = [
    ["refused", 144],
    ["login", 145],
    ["login", 147],
    ["refused", 148],
    ["limit", 173],
    ["overload", 244],
    ["overload", 247],
    ["overload", 17],
    ["agent", 53],
    ["agent", 1],
  ];

  it.each(CASES)("are %s: %i", (kind, exitCode) => {
    const line = { type: "result", status: "error", error: { type: "unknown", message: "no" } };
    expect(judge("gemini", line, { exitCode })).toBe(`${kind}: no`);
  });
});

describe("every agent", () => {
  const DONE: Readonly<Record<string, object>> = {
    claude: { type: "result", subtype: "success", is_error: false },
    codex: { type: "turn.completed" },
    gemini: { type: "result", status: "success" },
  };
  const names = AGENTS.map(({ name }) => name).filter((name) => name !== "shell");

  it.each(names)("has not succeeded without a last line, whatever its exit code: %s", (name) => {
    expect(judge(name, null, { exitCode: 0 })).toMatch(/^interrupted: /);
    expect(judge(name, null, { exitCode: null, signal: "SIGKILL" })).toMatch(/^interrupted: .*SIGKILL/);
    expect(judge(name, null, { exitCode: 1, stderrTail: "TypeError: x is not a function\n    at y\n" })).toBe(
      "agent: exited with 1: TypeError: x is not a function",
    );
  });

  it.each(names)("has not succeeded either when its process then fails: %s", (name) => {
    const done = DONE[name] ?? {};
    expect(judge(name, done, { exitCode: 0 })).toBe("succeeded");
    expect(judge(name, done, { exitCode: 1 })).toMatch(/^agent: /);
    expect(judge(name, done, { exitCode: null, signal: "SIGSEGV" })).toMatch(/^interrupted: /);
  });

  it("takes the shell's exit code for what it is", () => {
    expect(judge("shell", null, { exitCode: 0 })).toBe("succeeded");
    expect(judge("shell", null, { exitCode: 3, stderrTail: "a\nno such file\n" })).toBe(
      "agent: the script exited with 3: no such file",
    );
    expect(judge("shell", null, { exitCode: null, signal: "SIGTERM" })).toMatch(/^interrupted: /);
  });
});
