import { type FileHandle, open } from "node:fs/promises";
import { type ReadLimits, type SpooledLine, seqOf } from "./spooled-line.ts";

const CHUNK_BYTES = 256 * 1024;
/** Enough for `{"seq":N,`: lines that are skipped are not decoded. */
const HEAD_BYTES = 32;

/** A place in an event file: the line of `seq` starts at or after `offset`. */
export interface SpoolPosition {
  readonly seq: number;
  readonly offset: number;
}

/** The head of every event file. */
export const SPOOL_START: SpoolPosition = { seq: 1, offset: 0 };

/**
 * Reads whole lines with `from <= seq <= until` from an event file, starting the search at `at`, and says where to go
 * on. Resolves with no line when there is none.
 */
export async function readSpooled(
  path: string,
  at: SpoolPosition,
  range: { readonly from: number; readonly until: number },
  limits: ReadLimits,
): Promise<{ readonly lines: readonly SpooledLine[]; readonly next: SpoolPosition }> {
  const lines: SpooledLine[] = [];
  let bytes = 0;
  const file = await open(path, "r");
  try {
    for await (const found of listLines(file, at.offset)) {
      const { seq, raw, offset } = found;
      const full = lines.length > 0 && (lines.length >= limits.events || bytes + raw.length > limits.bytes);
      if (seq > range.until || full) return { lines, next: { seq, offset } };
      if (seq < range.from) continue;
      lines.push({ seq, line: raw.toString("utf8"), bytes: raw.length });
      bytes += raw.length;
    }
    // Nothing more yet: the next search begins anew rather than guess where the next line will start.
    return { lines, next: SPOOL_START };
  } finally {
    await file.close();
  }
}

interface RawLine {
  readonly seq: number;
  readonly raw: Buffer;
  readonly offset: number;
}

async function* listLines(file: FileHandle, start: number): AsyncGenerator<RawLine> {
  let offset = start;
  let rest: Buffer = Buffer.alloc(0);
  for (let readAt = start; ; ) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, readAt);
    if (bytesRead === 0) return;
    readAt += bytesRead;
    rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const raw = rest.subarray(0, end);
      yield { seq: seqOf(raw.toString("latin1", 0, HEAD_BYTES)) ?? 0, raw, offset };
      rest = rest.subarray(end + 1);
      offset += end + 1;
    }
  }
}
