import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OutputChunk, WorkerEventBody } from "../../job/index.ts";
import { incompleteTail, toOutputChunks } from "./output-chunks.ts";
import { createOutputCollector } from "./output-collector.ts";

const toBytes = (chunk: OutputChunk) =>
  "text" in chunk ? Buffer.from(chunk.text) : Buffer.from(chunk.base64, "base64");

describe("incompleteTail", () => {
  it.each([
    ["", 0],
    ["61", 0],
    ["c3", 1],
    ["c3a9", 0],
    ["61e282", 2],
    ["e282ac", 0],
    ["f09f98", 3],
    ["f09f9880", 0],
    ["80", 0],
    ["8080808080", 0],
    ["ff", 0],
    ["c0", 0],
  ])("of %s is %i", (hex, expected) => {
    expect(incompleteTail(Buffer.from(hex, "hex"))).toBe(expected);
  });
});

describe("toOutputChunks", () => {
  it("keeps every byte and every bound", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 4, max: 64 }), (raw, max) => {
        const chunks = toOutputChunks(Buffer.from(raw), max).map(toBytes);
        expect(Buffer.concat(chunks)).toEqual(Buffer.from(raw));
        for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(max);
      }),
    );
  });
});

/** Runs a collector whose ticks are the pieces given. */
function collect(pieces: readonly Uint8Array[], capBytes = 1 << 20, keep = true) {
  const bodies: WorkerEventBody[] = [];
  let flush = () => {};
  const collector = createOutputCollector({
    capBytes,
    emit: (more) => {
      if (keep) bodies.push(...more);
      return keep;
    },
    emitGap: (bytes) => bodies.push({ type: "gap", bytes }),
    schedule: (fn) => {
      flush = fn;
    },
  });
  for (const piece of pieces) {
    collector.push("stdout", Buffer.from(piece));
    flush();
  }
  collector.end();
  const output = bodies.flatMap((body) => (body.type === "output" ? [body] : []));
  return { bodies, output, bytes: Buffer.concat(output.map(toBytes)), collector };
}

describe("the collector", () => {
  it("gives text for UTF-8 however it is cut, never base 64", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), sizes, (text, steps) => {
        const whole = Buffer.from(text);
        const pieces: Uint8Array[] = [];
        for (let at = 0, i = 0; at < whole.length; i++) {
          const size = steps[i % steps.length] ?? 1;
          pieces.push(whole.subarray(at, at + size));
          at += size;
        }
        const { output, bytes } = collect(pieces);
        expect(bytes.equals(whole)).toBe(true);
        expect(output.every((body) => "text" in body)).toBe(true);
      }),
    );
  });

  it("keeps every byte of anything else", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 30 }), (pieces) => {
        expect(collect(pieces).bytes).toEqual(Buffer.concat(pieces));
      }),
    );
  });

  it("cuts at the cap, between characters, with one gap at the end", () => {
    const { bodies, bytes, collector } = collect([Buffer.from("abcdé"), Buffer.from("more"), Buffer.from("x")], 5);
    expect(bytes.toString()).toBe("abcd");
    expect(bodies.at(-1)).toEqual({ type: "gap", bytes: 7 });
    expect(bodies.filter(({ type }) => type === "gap").length).toBe(1);
    expect(collector.truncated()).toBe(true);
  });

  it("counts as cut what the spool cannot keep", () => {
    const { bodies } = collect([Buffer.from("abc"), Buffer.from("def")], 100, false);
    expect(bodies).toEqual([{ type: "gap", bytes: 6 }]);
  });

  it("keeps the order of the two streams and the tail of stderr", () => {
    const bodies: WorkerEventBody[] = [];
    const collector = createOutputCollector({
      capBytes: 1 << 20,
      emit: (more) => bodies.push(...more) > 0,
      emitGap: () => {},
      schedule: () => {},
    });
    collector.push("stdout", Buffer.from("1"));
    collector.push("stderr", Buffer.from(`é${"x".repeat(4095)}`));
    collector.push("stdout", Buffer.from("2"));
    collector.push("stdout", Buffer.from("3"));
    collector.end();
    expect(bodies.map((body) => (body.type === "output" ? body.stream : ""))).toEqual(["stdout", "stderr", "stdout"]);
    expect(bodies.at(-1)).toMatchObject({ text: "23" });
    expect(collector.stderrTail()).toBe("x".repeat(4095));
  });
});
