import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeFileSync } from "node:fs";

const NEWLINE = 10;
/** Looked at first from the end of a file; longer lines take more. */
const WINDOW_BYTES = 64 * 1024;

/** Appends to a file that is there: one that was taken away is not begun anew in the middle. @throws errno */
export function appendText(path: string, text: string): void {
  writeTo(path, constants.O_WRONLY | constants.O_APPEND, text);
}

/** Begins a file (0600) that is not there. @throws errno, EEXIST when it is */
export function createText(path: string, text: string): void {
  writeTo(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL, text);
}

/** No sync: the store is the truth. */
function writeTo(path: string, flags: number, text: string): void {
  const fd = openSync(path, flags, 0o600);
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/**
 * Cuts off what stands behind the last whole line, and says that line's `seq`; 0 for an empty file. One whose last line
 * makes no sense is emptied, one that is not there is made.
 * @throws errno
 */
export function cutTail(path: string): number {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const { size } = fstatSync(fd);
    const last = readLastLine(fd, size);
    const seq = last === null ? 0 : seqOf(last.text);
    const end = last === null || seq === 0 ? 0 : last.end;
    if (end < size) ftruncateSync(fd, end);
    return seq;
  } finally {
    closeSync(fd);
  }
}

/** The last line that has its newline, and where the next one begins; null when there is none. */
function readLastLine(fd: number, size: number): { readonly text: string; readonly end: number } | null {
  for (let bytes = WINDOW_BYTES; ; bytes *= 4) {
    const from = Math.max(0, size - bytes);
    const buffer = Buffer.alloc(size - from);
    readSync(fd, buffer, 0, buffer.length, from);
    const end = buffer.lastIndexOf(NEWLINE);
    const before = end <= 0 ? -1 : buffer.lastIndexOf(NEWLINE, end - 1);
    if (before < 0 && from > 0) continue;
    return end < 0 ? null : { text: buffer.toString("utf8", before + 1, end), end: from + end + 1 };
  }
}

/** 0 for a line that is none of ours. */
function seqOf(line: string): number {
  try {
    const value: unknown = JSON.parse(line);
    const seq = typeof value === "object" && value !== null && "seq" in value ? value.seq : null;
    return typeof seq === "number" && Number.isSafeInteger(seq) && seq > 0 ? seq : 0;
  } catch {
    return 0;
  }
}
