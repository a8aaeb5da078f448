import { describe, expect, it } from "vitest";
import type { ApiJobEvent } from "../protocol/index.ts";
import { createEventViewer } from "./job-events.ts";

const event = (more: object): ApiJobEvent =>
  ({ seq: 1, job: "j", attempt: 1, at: "2026-01-01T00:00:00.000Z", ...more }) as ApiJobEvent;
const text = (words: string, partial: boolean) => event({ type: "text", text: words, partial });

/** What a terminal shows of these events on standard output. */
const shown = (events: readonly ApiJobEvent[]): string => {
  const view = createEventViewer();
  return events
    .map(view)
    .map((one) => (one.kind === "output" && one.stream === "stdout" ? one.bytes : ""))
    .join("");
};

describe("what an agent says", () => {
  it("is shown once, whether it comes in parts or whole, and ends its line", () => {
    expect(shown([text("hel", true), text("lo", true), text("hello", false), text("next\n", false)])).toBe(
      "hello\nnext\n",
    );
    expect(shown([text("line\n", true), text("line\n", false)])).toBe("line\n");
    expect(shown([text("a", false), text("b", false)])).toBe("a\nb\n");
  });

  it("cannot steer the terminal", () => {
    expect(shown([text("\u001b]0;owned\u0007red\u202e\ttab\n", true)])).toBe("\\x1b]0;owned\\x07red\\x202e\ttab\n");
  });

  it("is not shown a second time as the raw stream it came in", () => {
    expect(shown([event({ type: "output", stream: "stdout", text: '{"type":"x"}\n', raw: true })])).toBe("");
    expect(shown([event({ type: "output", stream: "stdout", text: "plain\n" })])).toBe("plain\n");
  });

  it("goes beside what it does", () => {
    const view = createEventViewer();
    expect(view(event({ type: "tool_started", tool: "Bash", call: "1", title: "npm\u001b[2J test" }))).toEqual({
      kind: "note",
      text: "Bash: npm\\x1b[2J test",
    });
    expect(view(event({ type: "from-a-later-version" }))).toEqual({ kind: "nothing" });
  });

  it("says how a question that waits in the inbox is answered", () => {
    const view = createEventViewer();
    const asked = { type: "ask", question: "Which\u001b[2J?", choices: ["a", "b"] };
    expect(view(event({ ...asked, item: "01abc" }))).toEqual({
      kind: "note",
      text: "asks: Which\\x1b[2J? [a, b]; answer with: lane answer 01abc",
    });
    expect(view(event(asked))).toEqual({ kind: "note", text: "asks: Which\\x1b[2J?" });
  });
});
