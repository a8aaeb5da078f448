import { describe, expect, it } from "vitest";
import { findAgent } from "./index.ts";

/** Events of lines that no recorded run has; their shapes are those of the vendors' type declarations. */
function read(agent: string, ...lines: readonly object[]) {
  const parser = findAgent(agent).newParser();
  return { events: lines.flatMap((line) => parser.line(JSON.stringify(line))), summary: parser.summary() };
}

const use = (id: string, name: string, input: object, more: object = {}) => ({
  type: "assistant",
  message: { content: [{ type: "tool_use", id, name, input }] },
  ...more,
});
const result = (id: string, isError: boolean) => ({
  type: "user",
  message: {
    content: [{ type: "tool_result", tool_use_id: id, is_error: isError, content: [{ type: "text", text: "ok" }] }],
  },
});

describe("Claude's events", () => {
  it("tell of an edited file when the edit was made", () => {
    const edit = use("1", "Edit", { file_path: "/workspace/a.ts", old_string: "x" });
    expect(read("claude", edit, result("1", false)).events).toEqual([
      { type: "tool_started", tool: "Edit", call: "1", title: "/workspace/a.ts" },
      { type: "tool_finished", call: "1", ok: true, text: "ok" },
      { type: "files_changed", paths: ["/workspace/a.ts"] },
    ]);
    const failed = read("claude", edit, result("1", true)).events;
    expect(failed.map((event) => event.type)).toEqual(["tool_started", "tool_finished"]);
  });

  it("tell of the plan and of questions", () => {
    const todos = [
      { content: "one", status: "completed" },
      { content: "two", status: "pending" },
    ];
    const questions = [{ question: "Which?", options: [{ label: "a" }, { label: "b" }] }];
    const { events } = read("claude", use("1", "TodoWrite", { todos }), use("2", "AskUserQuestion", { questions }));
    expect(events).toContainEqual({
      type: "plan",
      steps: [
        { text: "one", done: true },
        { text: "two", done: false },
      ],
    });
    expect(events).toContainEqual({ type: "ask", question: "Which?", choices: ["a", "b"] });
  });

  it("leave out what a sub-agent says, but not what it does", () => {
    const of = { parent_tool_use_id: "0" };
    const said = { type: "assistant", message: { content: [{ type: "text", text: "found it" }] }, ...of };
    const delta = {
      type: "stream_event",
      event: { type: "content_block_delta", delta: { type: "text_delta", text: "x" } },
    };
    const { events, summary } = read("claude", said, { ...delta, ...of }, use("1", "Bash", { command: "ls" }, of));
    expect(events).toEqual([{ type: "tool_started", tool: "Bash", call: "1", title: "ls" }]);
    expect(summary.text).toBeNull();
  });

  it("have thoughts, and warn when a limit is near; a limit that was lifted is none", () => {
    const thought = { type: "assistant", message: { content: [{ type: "thinking", thinking: "hm" }] } };
    const limit = (status: string) => ({
      type: "rate_limit_event",
      rate_limit_info: { status, resetsAt: 1_795_225_859, rateLimitType: "five_hour" },
    });
    const failed = { type: "result", subtype: "success", is_error: true, api_error_status: 429 };
    const { events, summary } = read(
      "claude",
      thought,
      limit("allowed_warning"),
      limit("rejected"),
      limit("allowed"),
      failed,
    );
    expect(events.slice(0, 3)).toEqual([
      { type: "thinking", text: "hm" },
      { type: "warning", message: "five_hour limit is near" },
      { type: "rate_limited", message: "five_hour limit reached", resetsAtMs: 1_795_225_859_000, cause: "limit" },
    ]);
    expect(summary.final?.facts.resetsAtMs).toBeNull();
  });

  it("sum up the turns of one process, with what came from caches", () => {
    const turn = {
      type: "result",
      subtype: "success",
      model_usage_since_last_result: {
        a: { inputTokens: 1, cacheReadInputTokens: 10, cacheCreationInputTokens: 100, outputTokens: 5, costUSD: 0.5 },
        b: { inputTokens: 2, outputTokens: 1, costUSD: 0.25 },
      },
    };
    expect(read("claude", turn, turn).summary.usage).toEqual({
      inputTokens: 226,
      outputTokens: 12,
      cacheReadTokens: 20,
      costUsd: 1.5,
    });
  });
});

describe("Codex' events", () => {
  const item = (type: string, of: object) => ({ type, item: { id: "i", ...of } });

  it("pass on of a growing output what is new", () => {
    const command = (aggregated_output: string) => ({ type: "command_execution", command: "make", aggregated_output });
    const { events } = read(
      "codex",
      item("item.started", command("")),
      item("item.updated", command("one\n")),
      item("item.updated", command("one\ntwo\n")),
      item("item.updated", command("one\ntwo\n")),
      item("item.completed", { ...command("one\ntwo\n"), status: "completed", exit_code: 0 }),
    );
    expect(events).toEqual([
      { type: "tool_started", call: "i", tool: "shell", title: "make" },
      { type: "tool_output", call: "i", text: "one\n" },
      { type: "tool_output", call: "i", text: "two\n" },
      { type: "tool_finished", call: "i", ok: true, text: "one\ntwo\n" },
    ]);
  });

  it("tell of files, the plan, thoughts, searches and tools of others", () => {
    const changes = [{ path: "a.ts", kind: "update" }];
    const { events } = read(
      "codex",
      item("item.completed", { type: "file_change", changes, status: "completed" }),
      item("item.completed", { type: "file_change", changes, status: "failed" }),
      item("item.updated", { type: "todo_list", items: [{ text: "one", completed: true }] }),
      item("item.completed", { type: "reasoning", text: "hm" }),
      item("item.started", { type: "web_search", query: "news" }),
      item("item.started", { type: "mcp_tool_call", server: "s", tool: "t" }),
      item("item.completed", { type: "mcp_tool_call", status: "failed", error: { message: "no" } }),
      item("item.completed", { type: "of a later version" }),
    );
    expect(events).toEqual([
      { type: "files_changed", paths: ["a.ts"] },
      { type: "warning", message: "a change was not made: a.ts" },
      { type: "plan", steps: [{ text: "one", done: true }] },
      { type: "thinking", text: "hm" },
      { type: "tool_started", call: "i", tool: "web_search", title: "news" },
      { type: "tool_started", call: "i", tool: "t", title: "s" },
      { type: "tool_finished", call: "i", ok: false, text: "no" },
    ]);
  });
});

describe("Gemini's events", () => {
  it("tell of an edited file and the plan, and end the text before a tool", () => {
    const todos = [{ description: "one", status: "completed" }];
    const { events, summary } = read(
      "gemini",
      { type: "message", role: "assistant", content: "let me ", delta: true },
      { type: "message", role: "assistant", content: "see", delta: true },
      { type: "tool_use", tool_name: "replace", tool_id: "1", parameters: { file_path: "a.ts" } },
      { type: "tool_result", tool_id: "1", status: "success" },
      { type: "tool_use", tool_name: "write_todos", tool_id: "2", parameters: { todos } },
      { type: "error", severity: "warning", message: "loop detected" },
    );
    expect(events.slice(2)).toEqual([
      { type: "text", text: "let me see", partial: false },
      { type: "tool_started", tool: "replace", call: "1", title: "a.ts" },
      { type: "tool_finished", call: "1", ok: true, text: "" },
      { type: "files_changed", paths: ["a.ts"] },
      { type: "tool_started", tool: "write_todos", call: "2", title: "" },
      { type: "plan", steps: [{ text: "one", done: true }] },
      { type: "warning", message: "loop detected" },
    ]);
    expect(summary.text).toBe("let me see");
  });
});

describe("the shell's events", () => {
  it("are its lines; its answer is the last of them", () => {
    const parser = findAgent("shell").newParser();
    expect(parser.line("one")).toEqual([{ type: "text", text: "one\n", partial: true }]);
    for (let n = 0; n < 100_000; n++) parser.line(`line ${n}`);
    const { text, final } = parser.summary();
    expect(final).toBeNull();
    expect(text?.length).toBe(64 * 1024);
    expect(text).toMatch(/line 99999\n$/);
  });
});
