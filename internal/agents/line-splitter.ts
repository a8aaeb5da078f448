/**
 * A line of more bytes is skipped. Real ones reach megabytes: a tool's output, an image in base64. The memory of a
 * splitter is bounded by this and by the chunk in hand.
 */
export const LINE_MAX_BYTES = 16 * 1024 * 1024;

const NEWLINE = 10;

/** What is held between chunks at most when lines are short. */
const HELD_BYTES = 64 * 1024;

/** Makes lines of the chunks of one stream. */
export interface LineSplitter {
  /** The lines that this chunk ends, in order, without their newlines. Chunks may be cut anywhere, also in a character. */
  readonly push: (chunk: Uint8Array) => readonly string[];
  /** At the end of the stream: what was left without a newline; null when nothing was. */
  readonly end: () => string | null;
}

/** What a splitter is told. */
export interface LineSplitterOptions {
  /** Default {@link LINE_MAX_BYTES}. */
  readonly maxBytes?: number;
  /** A line was longer than that and is left out; called when it ends, with its whole size. */
  readonly onSkipped: (bytes: number) => void;
}

/**
 * Splits at newlines only: agents put other line ends into their texts. Bytes that are not UTF-8 become U+FFFD, as a
 * newline's byte is never part of another character.
 */
export function newLineSplitter({ maxBytes = LINE_MAX_BYTES, onSkipped }: LineSplitterOptions): LineSplitter {
  /** Holds the line under way, as far as it fits: one buffer that grows, as a chunk may be a single byte. */
  let held = Buffer.alloc(0);
  /** Size of the line under way. */
  let bytes = 0;

  const keep = (part: Buffer): void => {
    const from = bytes;
    bytes += part.length;
    if (bytes > maxBytes) {
      held = Buffer.alloc(0);
      return;
    }
    if (bytes > held.length) {
      const grown = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(bytes, 2 * held.length, HELD_BYTES)));
      held.copy(grown, 0, 0, from);
      held = grown;
    }
    part.copy(held, from);
  };
  const take = (): string | null => {
    const size = bytes;
    bytes = 0;
    if (size > maxBytes) {
      onSkipped(size);
      return null;
    }
    const line = held.toString("utf8", 0, size);
    // What one long line needed is not kept for the short ones after it.
    if (held.length > HELD_BYTES) held = Buffer.alloc(0);
    return line;
  };

  return {
    push(chunk) {
      const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const lines: string[] = [];
      let from = 0;
      for (let at = buffer.indexOf(NEWLINE); at !== -1; at = buffer.indexOf(NEWLINE, from)) {
        if (bytes === 0 && at - from <= maxBytes) {
          lines.push(buffer.toString("utf8", from, at));
        } else {
          keep(buffer.subarray(from, at));
          const line = take();
          if (line !== null) lines.push(line);
        }
        from = at + 1;
      }
      keep(buffer.subarray(from));
      return lines;
    },
    end: () => (bytes === 0 ? null : take()),
  };
}
