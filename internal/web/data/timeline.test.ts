import { describe, expect, it } from "vitest";
import type { ApiJobEvent } from "../../protocol/index.ts";
import { BLOCK_TEXT_MAX, BLOCKS_MAX, EMPTY_TIMELINE, foldEvents } from "./timeline.ts";

const at = "2026-01-01T00:00:00.000Z";
type Body = { readonly type: string } & Record<string, unknown>;
function events(...bodies: readonly Body[]): ApiJobEvent[] {
  return bodies.map((body, index) => ({ seq: index + 1, job: "j", attempt: 1, at, ...body }));
}
const fold = (...bodies: readonly Body[]) => foldEvents(EMPTY_TIMELINE, events(...bodies));

describe("the timeline of a job", () => {
  it("joins the pieces of a text, and the whole takes their place", () => {
    const pieces = fold({ type: "text", text: "Hel", partial: true }, { type: "text", text: "lo", partial: true });
    expect(pieces.blocks).toEqual([{ id: 1, kind: "text", text: "Hello", live: true }]);
    const whole = foldEvents(pieces, [
      { seq: 3, job: "j", attempt: 1, at, type: "text", text: "Hello!", partial: false },
    ]);
    expect(whole.blocks).toEqual([{ id: 1, kind: "text", text: "Hello!", live: false }]);
  });

  it("folds a tool's call, output and end into one, by its call", () => {
    const { blocks } = fold(
      { type: "tool_started", tool: "shell", call: "a", title: "ls" },
      { type: "tool_started", tool: "shell", call: "b", title: "cat" },
      { type: "tool_output", call: "a", text: "one\n" },
      { type: "tool_output", call: "a", text: "two\n" },
      { type: "tool_finished", call: "a", ok: true, text: "" },
      { type: "tool_finished", call: "b", ok: false, text: "no" },
      { type: "tool_output", call: "never-began", text: "x" },
    );
    expect(blocks).toEqual([
      { id: 1, kind: "tool", tool: "shell", call: "a", title: "ls", output: "one\ntwo\n", state: "ok" },
      { id: 2, kind: "tool", tool: "shell", call: "b", title: "cat", output: "no", state: "failed" },
    ]);
  });

  it("joins output of one stream, without the colours of terminals and without an agent's own stream", () => {
    const { blocks } = fold(
      { type: "output", stream: "stdout", text: "\u001b[31mred\u001b[0m\u001b]0;title\u0007" },
      { type: "output", stream: "stdout", text: "{}", raw: true },
      { type: "output", stream: "stdout", text: " more\n" },
      { type: "output", stream: "stderr", text: "1%\r2%\r\n" },
    );
    expect(blocks.map((block) => (block.kind === "output" ? [block.stream, block.text] : null))).toEqual([
      ["stdout", "red more\n"],
      ["stderr", "1%\n2%\r\n"],
    ]);
  });

  it("keeps only the newest plan", () => {
    const { blocks } = fold(
      { type: "plan", steps: [{ text: "a", done: false }] },
      { type: "text", text: "x", partial: false },
      { type: "plan", steps: [{ text: "a", done: true }] },
    );
    expect(blocks.map((block) => block.kind)).toEqual(["text", "plan"]);
  });

  it("takes each event once", () => {
    const list = events({ type: "thinking", text: "a" }, { type: "thinking", text: "b" });
    const once = foldEvents(EMPTY_TIMELINE, list);
    expect(foldEvents(once, list)).toEqual(once);
    expect(once.blocks).toEqual([{ id: 1, kind: "thinking", text: "ab" }]);
  });

  it("stays small however long it goes on", () => {
    const many = fold(...Array.from({ length: 2000 }, (_, index) => ({ type: "warning", message: String(index) })));
    expect(many.blocks).toHaveLength(BLOCKS_MAX);
    expect(many.dropped).toBe(2000 - BLOCKS_MAX);
    const long = fold(
      ...Array.from({ length: 100 }, () => ({ type: "output", stream: "stdout", text: "x".repeat(5000) })),
    );
    const block = long.blocks[0];
    expect(block?.kind === "output" ? block.text.length : 0).toBe(BLOCK_TEXT_MAX);
    expect(block?.kind === "output" && block.text.startsWith("[… the beginning")).toBe(true);
  });

  it("makes nothing of events that it does not know or that are not as they should be", () => {
    const odd = ["text", "tool_started", "tool_finished", "plan", "files_changed", "ask", "output", "state"];
    const { blocks } = fold(
      { type: "constructor" },
      { type: "news" },
      ...odd.map((type) => ({ type, steps: 7, paths: {}, text: null })),
    );
    expect(blocks.every((block) => Object.values(block).every((value) => value !== undefined))).toBe(true);
  });
});
