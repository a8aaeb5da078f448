import { describe, expect, it } from "vitest";
import { EMPTY_DRAFT, shellLineOf, toShell, withJob } from "./draft.ts";

const prompt = { kind: "prompt", argv: null, prompt: "do it", agent: "claude" } as const;
const command = { kind: "command", argv: toShell("ls -l"), prompt: null, agent: null } as const;

describe("a job that is taken back into the box", () => {
  it("comes as it was written, with its agent", () => {
    expect(withJob(EMPTY_DRAFT, prompt)).toEqual({ ...EMPTY_DRAFT, text: "do it", agent: "claude" });
    expect(withJob({ ...EMPTY_DRAFT, agent: "codex" }, command)).toMatchObject({
      ...{ text: "ls -l", mode: "command", agent: "codex" },
    });
  });

  it("never pushes out what stands there", () => {
    expect(withJob({ ...EMPTY_DRAFT, text: "and this" }, prompt)?.text).toBe("do it\n\nand this");
    expect(withJob({ ...EMPTY_DRAFT, text: "and this" }, command)).toBeNull();
    expect(withJob({ ...EMPTY_DRAFT, text: " \n" }, command)?.text).toBe("ls -l");
  });

  it("is left alone when the box could not send the same again", () => {
    expect(withJob(EMPTY_DRAFT, { ...command, argv: ["ls", "-l"] })).toBeNull();
    expect([shellLineOf(["sh", "-c", "a", "b"]), shellLineOf(["bash", "-c", "a"]), shellLineOf(null)]).toEqual([
      ...[null, null, null],
    ]);
  });
});
