import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newLineSplitter } from "./line-splitter.ts";

/** Lines of a stream in chunks, with the sizes of those that were skipped. */
function split(chunks: readonly Uint8Array[], maxBytes?: number) {
  const skipped: number[] = [];
  const splitter = newLineSplitter({
    ...(maxBytes === undefined ? {} : { maxBytes }),
    onSkipped: (bytes) => skipped.push(bytes),
  });
  const lines = chunks.flatMap((chunk) => splitter.push(chunk));
  return { lines, rest: splitter.end(), skipped };
}

const bytes = (text: string) => Buffer.from(text);

describe("newLineSplitter", () => {
  it("gives what newlines end, and the rest at the end", () => {
    expect(split([bytes("a\n\nb\r\nc")])).toEqual({ lines: ["a", "", "b\r"], rest: "c", skipped: [] });
    expect(split([bytes("a\n")])).toEqual({ lines: ["a"], rest: null, skipped: [] });
    expect(split([])).toEqual({ lines: [], rest: null, skipped: [] });
  });

  it("does not mind where the chunks are cut, also in a character", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat(400)), (texts, cuts) => {
        const lines = texts.map((text) => text.replaceAll("\n", " "));
        const all = bytes(lines.map((line) => `${line}\n`).join(""));
        const at = [0, ...cuts.map((cut) => Math.min(cut, all.length)).toSorted((a, b) => a - b), all.length];
        const chunks = at.slice(1).map((to, n) => all.subarray(at[n], to));
        expect(split(chunks)).toEqual({ lines, rest: null, skipped: [] });
      }),
    );
  });

  it.each([1, 3, 64])("skips what is too long, in chunks of %i, and tells its size", (size) => {
    const all = bytes(`ok\n${"x".repeat(11)}\n${"y".repeat(10)}\nok\n${"z".repeat(20)}`);
    const chunks = Array.from({ length: Math.ceil(all.length / size) }, (_, n) =>
      all.subarray(n * size, (n + 1) * size),
    );
    expect(split(chunks, 10)).toEqual({ lines: ["ok", "y".repeat(10), "ok"], rest: null, skipped: [11, 20] });
  });

  it("keeps no hold of a chunk: its owner may use it again", () => {
    const splitter = newLineSplitter({ onSkipped: () => undefined });
    const chunk = bytes("half");
    expect(splitter.push(chunk)).toEqual([]);
    chunk.fill("x");
    expect(splitter.push(bytes(" a line\n"))).toEqual(["half a line"]);
  });
});
