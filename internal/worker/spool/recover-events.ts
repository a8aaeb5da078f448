import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import { seqOf } from "./spooled-line.ts";

/** What is left in an event file after whatever happened to it. */
export interface RecoveredEvents {
  /** Sequence number of the last whole event; 0 for none. */
  readonly lastSeq: number;
  readonly finished: boolean;
  /** Bytes of whole lines: where the next one goes. */
  readonly size: number;
}

/** Longer than the longest line: 32 KiB of output, each byte escaped to six characters. */
const TAIL_BYTES = 512 * 1024;

/**
 * Reads the end of an event file and cuts off what a crash tore: an unfinished line, or lines of a block that never
 * reached the disk. An absent file counts as empty.
 */
export function recoverEvents(path: string): RecoveredEvents {
  const fd = openSync(path, "a+", 0o600);
  try {
    const size = fstatSync(fd).size;
    let end = size;
    while (end > 0) {
      const tail = readTail(fd, end);
      const found = lastWholeLine(tail);
      if (found !== null) return cut(fd, size, end - tail.length + found.end, found);
      end -= tail.length;
    }
    return cut(fd, size, 0, { seq: 0, finished: false });
  } finally {
    closeSync(fd);
  }
}

function readTail(fd: number, end: number): Buffer {
  const tail = Buffer.alloc(Math.min(end, TAIL_BYTES));
  readSync(fd, tail, 0, tail.length, end - tail.length);
  return tail;
}

function lastWholeLine(
  tail: Buffer,
): { readonly seq: number; readonly finished: boolean; readonly end: number } | null {
  for (let end = tail.lastIndexOf(10); end !== -1; end = end === 0 ? -1 : tail.lastIndexOf(10, end - 1)) {
    const line = tail.toString("utf8", end === 0 ? 0 : tail.lastIndexOf(10, end - 1) + 1, end);
    const seq = seqOf(line);
    const type = seq === null ? null : typeOf(line);
    if (seq !== null && type !== null) return { seq, finished: type === "finished", end: end + 1 };
  }
  return null;
}

function typeOf(line: string): string | null {
  try {
    const type = (JSON.parse(line) as { readonly type?: unknown }).type;
    return typeof type === "string" ? type : null;
  } catch {
    return null;
  }
}

function cut(
  fd: number,
  size: number,
  keep: number,
  last: { readonly seq: number; readonly finished: boolean },
): RecoveredEvents {
  if (keep < size) ftruncateSync(fd, keep);
  return { lastSeq: last.seq, finished: last.finished, size: keep };
}
