/** How much of a program's output is held while it runs, and what is kept of that. */
const HELD_BYTES = 32 * 1024;
const LINES = 40;
const LINE_MAX = 300;

/**
 * Reads frames of `[stream, 0, 0, 0, length32]` to their end; the last lines of what they carry, fit to be shown. However
 * much comes, little is held.
 */
export async function readTail(chunks: AsyncIterable<Buffer>): Promise<readonly string[]> {
  let header = Buffer.alloc(0);
  let left = 0;
  let held = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let rest = chunk;
    while (rest.length > 0) {
      if (left > 0) {
        held = Buffer.concat([held, rest.subarray(0, left)]).subarray(-HELD_BYTES);
        const taken = Math.min(left, rest.length);
        left -= taken;
        rest = rest.subarray(taken);
        continue;
      }
      const missing = 8 - header.length;
      header = Buffer.concat([header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (header.length < 8) continue;
      left = header.readUInt32BE(4);
      header = Buffer.alloc(0);
    }
  }
  return toLines(held.toString("utf8"));
}

/** The last lines of a text that anybody wrote: without control characters, each bounded. */
function toLines(text: string): readonly string[] {
  const lines = text.split(/[\r\n]+/).map((line) => line.replace(/\p{C}/gu, " ").trimEnd().slice(0, LINE_MAX));
  return lines.filter((line) => line.trim() !== "").slice(-LINES);
}
