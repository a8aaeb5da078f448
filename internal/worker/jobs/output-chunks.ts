import { isUtf8 } from "node:buffer";
import type { OutputChunk } from "../../job/index.ts";

/** Raw bytes of one output event at most; escaped to JSON it still fits a frame. */
export const CHUNK_BYTES = 32 * 1024;

/**
 * How many bytes at the end of `bytes` are the beginning of a character that is not complete yet (0 to 3). They wait
 * for the next read.
 */
export function incompleteTail(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    const isContinuation = (byte & 0xc0) === 0x80;
    if (!isContinuation) return characterLength(byte) > back ? back : 0;
  }
  return 0;
}

/** Bytes of the character that `first` begins; 1 also for what begins none. */
function characterLength(first: number): number {
  if (first >= 0xf0 && first <= 0xf4) return 4;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xc2 && first < 0xe0 ? 2 : 1;
}

/** Cuts `bytes` into chunks of at most `maxBytes`, never inside a character; what is not UTF-8 becomes base 64. */
export function toOutputChunks(bytes: Buffer, maxBytes: number = CHUNK_BYTES): readonly OutputChunk[] {
  const chunks: OutputChunk[] = [];
  for (let at = 0; at < bytes.length; ) {
    let piece = bytes.subarray(at, at + maxBytes);
    if (at + maxBytes < bytes.length) piece = piece.subarray(0, piece.length - incompleteTail(piece));
    chunks.push(isUtf8(piece) ? { text: piece.toString("utf8") } : { base64: piece.toString("base64") });
    at += piece.length;
  }
  return chunks;
}
