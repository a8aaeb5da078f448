import { describe, expect, it } from "vitest";
import { readTail } from "./output-tail.ts";

const frame = (text: string): Buffer => {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
};

async function* inPieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("readTail", () => {
  it.each([1, 7, 8, 9, 1000])("puts frames together that come in pieces of %i bytes", async (size) => {
    const bytes = Buffer.concat([frame("one\ntw"), frame(""), frame("o\r\nthree\x1b[31m\x07\n")]);
    expect(await readTail(inPieces(bytes, size))).toEqual(["one", "two", "three [31m"]);
  });

  it("keeps the last lines of much, each bounded", async () => {
    const much = Array.from({ length: 20_000 }, (_, at) => `line ${at}`).join("\n");
    const lines = await readTail(inPieces(Buffer.concat([frame(much), frame("\n"), frame("x".repeat(9000))]), 4096));
    expect([lines.length, lines.at(-2), lines.at(-1)]).toEqual([40, "line 19999", "x".repeat(300)]);
  });
});
