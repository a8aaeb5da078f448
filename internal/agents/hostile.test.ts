import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AgentEvent } from "../job/index.ts";
import { OUTPUT_MAX, TEXT_MAX } from "./clip.ts";
import { AGENTS, type Agent, LINE_MAX_BYTES } from "./index.ts";
import { endOf, readAll, readRecorded } from "./testing.ts";

const RUNS = 300;
const NAMES = ["say", "run-commit", "fail401", "fail429-usage"];
const TALKING = AGENTS.filter((agent) => agent.name !== "shell");

/** Everything an event may hold at most, with what `clip` adds. */
const LONGEST = TEXT_MAX + 100;

function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

function numbersOf(value: unknown): readonly number[] {
  if (typeof value === "number") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(numbersOf) : [];
}

/** Reads and judges; fails when anything is thrown, or when what comes out is not bounded. */
function readSafely(agent: Agent, chunks: Iterable<Uint8Array>): readonly AgentEvent[] {
  const parser = agent.newParser();
  const events = readAll(parser, chunks);
  agent.classify(endOf({ stderr: "", exitCode: 1 }, parser));
  for (const number of numbersOf([events, parser.summary()])) expect(number >= 0 && number <= 1e20).toBe(true);
  for (const text of textsOf(events)) expect(text.length).toBeLessThanOrEqual(LONGEST);
  return events;
}

function bytesOf(...lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line}\n`).join(""));
}

describe("cut streams", () => {
  it.each(TALKING)("of $name give the same events wherever the chunks are cut", (agent) => {
    for (const name of ["run-commit", "fail401"]) {
      const { stdout } = readRecorded(agent.name, name);
      const whole = readAll(agent.newParser(), [stdout]);
      // The long first line is of no interest: its cuts are all alike.
      for (let at = Math.max(0, stdout.indexOf(10) - 20); at < stdout.length; at += 1) {
        const parser = agent.newParser();
        expect(readAll(parser, [stdout.subarray(0, at), stdout.subarray(at)])).toEqual(whole);
      }
    }
  });

  it.each(TALKING)("of $name invent nothing where a line breaks off", (agent) => {
    for (const name of NAMES) {
      const lines = readRecorded(agent.name, name).stdout.toString().split("\n");
      for (const line of lines.slice(1)) {
        for (let length = 1; length < line.length; length++) {
          const parser = agent.newParser();
          const events = parser.line(line.slice(0, length));
          expect(events.map((event) => event.type)).toEqual(["warning"]);
          expect(parser.summary()).toEqual({ session: null, text: null, usage: null, final: null });
        }
      }
    }
  });
});

describe("garbage", () => {
  it.each(AGENTS)("of random bytes: $name", (agent) => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (chunks) => {
        readSafely(agent, chunks);
      }),
      { numRuns: RUNS },
    );
  });

  it.each(AGENTS)("of any JSON: $name", (agent) => {
    fc.assert(
      fc.property(fc.array(fc.json({ maxDepth: 6 }), { maxLength: 10 }), (lines) => {
        readSafely(agent, [bytesOf(...lines)]);
      }),
      { numRuns: RUNS },
    );
  });

  it.each(TALKING)("of real lines with anything in their fields: $name", (agent) => {
    const real = NAMES.flatMap((name) => readRecorded(agent.name, name).stdout.toString().trim().split("\n"));
    const values: readonly unknown[] = [
      null,
      true,
      0,
      -1,
      1e308,
      "",
      "-x",
      "__proto__",
      [],
      {},
      [null],
      [[]],
      { type: 1 },
    ];
    const line = fc.tuple(
      fc.constantFrom(...real),
      fc.infiniteStream(fc.nat(19)),
      fc.infiniteStream(fc.constantFrom(...values)),
    );
    const mutate = (text: string, dice: Iterator<number>, others: Iterator<unknown>): string =>
      JSON.stringify(JSON.parse(text), (_key, value) =>
        dice.next().value === 0 ? structuredClone(others.next().value) : value,
      ) ?? "";
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (all) => {
        readSafely(agent, [bytesOf(...all.map(([text, dice, others]) => mutate(text, dice, others)))]);
      }),
      { numRuns: RUNS },
    );
  });

  it.each(AGENTS)("that nests deeply or reaches for prototypes: $name", (agent) => {
    const polluting = '{"__proto__":{"polluted":1,"type":"result"},"constructor":{"prototype":{"polluted":1}}}';
    const typed = '{"type":"result","stats":{"__proto__":{"polluted":1}},"modelUsage":{"__proto__":{"polluted":1}}}';
    const deep = ["[".repeat(100_000), '{"type":'.repeat(100_000), `${"[".repeat(1e5)}${"]".repeat(1e5)}`];
    readSafely(agent, [bytesOf(polluting, typed, ...deep)]);
    expect({}).not.toHaveProperty("polluted");
    expect([]).not.toHaveProperty("polluted");
  });

  it.each(TALKING)("is warned of only so often: $name", (agent) => {
    const events = readAll(agent.newParser(), [bytesOf(...Array.from({ length: 1000 }, (_, n) => `noise ${n}`))]);
    expect(events).toHaveLength(50);
    expect(events[0]).toEqual({ type: "warning", message: "not an event: noise 0" });
    expect(events.at(-1)).toMatchObject({ message: expect.stringContaining("further lines") });
  });

  it.each(TALKING)("as a session that would be an option of a command: $name", (agent) => {
    const parser = agent.newParser();
    const id = "--dangerous=1";
    parser.line(JSON.stringify({ type: "system", subtype: "init", session_id: id, model: "m" }));
    parser.line(JSON.stringify({ type: "thread.started", thread_id: id }));
    parser.line(JSON.stringify({ type: "init", session_id: id }));
    expect(parser.summary().session).toBeNull();
  });
});

describe("long lines", () => {
  const content = "x".repeat(10_000_000);
  const RESULTS: Readonly<Record<string, unknown>> = {
    claude: { type: "user", message: { content: [{ type: "tool_result", tool_use_id: "call", content }] } },
    codex: {
      type: "item.completed",
      item: { id: "call", type: "command_execution", status: "completed", exit_code: 0, aggregated_output: content },
    },
    gemini: { type: "tool_result", tool_id: "call", status: "success", output: content },
  };

  function* inChunks(bytes: Buffer, size: number): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  it.each(TALKING)("of 10 MB are read, with their output cut: $name", (agent) => {
    const events = readAll(agent.newParser(), inChunks(bytesOf(JSON.stringify(RESULTS[agent.name])), 65_536));
    expect(events).toEqual([{ type: "tool_finished", call: "call", ok: true, text: expect.any(String) }]);
    const [text] = textsOf(events).filter((one) => one.length > 100);
    expect(text?.length).toBeLessThan(OUTPUT_MAX + 100);
    expect(text).toContain("[9967232 characters cut]");
  });

  it.each(TALKING)("beyond the bound are skipped, and what follows is read: $name", (agent) => {
    const { stdout } = readRecorded(agent.name, "say");
    const long = Buffer.alloc(LINE_MAX_BYTES + 1, "y");
    const events = readAll(agent.newParser(), inChunks(Buffer.concat([long, Buffer.from("\n"), stdout]), 65_536));
    expect(events[0]).toEqual({ type: "warning", message: `skipped ${LINE_MAX_BYTES + 1}` });
    expect(events.slice(1)).toEqual(readAll(agent.newParser(), [stdout]));
  });
});
