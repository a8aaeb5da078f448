import { type FileHandle, open } from "node:fs/promises";
import { errnoOf } from "../../base/index.ts";
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

/** What was found in an event file. */
export interface FoundLines {
  /** Events from the first one asked for, without a gap. */
  readonly lines: readonly SpooledLine[];
  /** Where to go on. */
  readonly next: SpoolPosition;
  /** The event behind `lines` was asked for and cannot be read: it is missing, or not what was written. */
  readonly damaged: boolean;
}

/**
 * Reads events with `from <= seq <= until` from an event file that should hold them all, starting the search at `at`.
 * Each is checked as the host will check it: what it would refuse must not be sent again and again.
 */
export async function readSpooled(
  path: string,
  at: SpoolPosition,
  range: { readonly from: number; readonly until: number },
  limits: ReadLimits,
): Promise<FoundLines> {
  // Loads zod: needed only here, where something is read back.
  const { workerEventSchema } = await import("../../protocol/worker-frames.ts");
  const isEvent = (text: string) => workerEventSchema.safeParse(parseJson(text)).success;
  const lines: SpooledLine[] = [];
  let bytes = 0;
  const file = await open(path, "r");
  try {
    for await (const found of listLines(file, at.offset)) {
      const { seq, raw, offset } = found;
      const expected = range.from + lines.length;
      const full = lines.length > 0 && (lines.length >= limits.events || bytes + raw.length > limits.bytes);
      if (expected > range.until || (full && seq === expected)) return { lines, next: { seq, offset }, damaged: false };
      if (seq < range.from) continue;
      const line = raw.toString("utf8");
      if (seq !== expected || !isEvent(line)) return { lines, next: SPOOL_START, damaged: true };
      lines.push({ seq, line, bytes: raw.length });
      bytes += raw.length;
    }
    // Nothing more yet: the next search begins anew rather than guess where the next line will start.
    return { lines, next: SPOOL_START, damaged: range.from + lines.length <= range.until };
  } catch (caught) {
    // Anything else, as too many open files, passes.
    if (errnoOf(caught) !== "EIO") throw caught;
    return { lines, next: SPOOL_START, damaged: true };
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

/** Undefined for what is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
