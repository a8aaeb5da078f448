import type { SpooledLine } from "./spooled-line.ts";

/** How much of an attempt's newest events stays in memory: what a host with a healthy link never leaves behind. */
export const RECENT_BYTES = 1024 * 1024;

/** The newest lines of an attempt, contiguous, bounded by bytes; the newest one always stays. */
export interface RecentLines {
  push(line: SpooledLine): void;
  /** At most `count` lines from `seq` on, or null when that one is not (any more) among them. */
  from(seq: number, count: number): readonly SpooledLine[] | null;
  /** The oldest one kept, null for none. */
  firstSeq(): number | null;
  /** Forgets what the host has. */
  dropThrough(seq: number): void;
}

/** An empty window of at most `maxBytes`. */
export function createRecentLines(maxBytes: number = RECENT_BYTES): RecentLines {
  let lines: SpooledLine[] = [];
  let head = 0;
  let bytes = 0;
  const dropOne = () => {
    bytes -= lines[head]?.bytes ?? 0;
    head++;
    // Compacting in bulk keeps each drop cheap.
    if (head > 1024) {
      lines = lines.slice(head);
      head = 0;
    }
  };
  return {
    push: (line) => {
      lines.push(line);
      bytes += line.bytes;
      while (bytes > maxBytes && head < lines.length - 1) dropOne();
    },
    from: (seq, count) => {
      const first = lines[head];
      if (first === undefined || seq < first.seq) return null;
      // Contiguous but for one jump, where a recovered end was numbered after what the host has: search from the end.
      let at = Math.min(lines.length, head + (seq - first.seq));
      while (at > head && (lines[at - 1]?.seq ?? 0) >= seq) at--;
      return at < lines.length ? lines.slice(at, at + count) : null;
    },
    firstSeq: () => lines[head]?.seq ?? null,
    dropThrough: (seq) => {
      while (head < lines.length - 1 && (lines[head]?.seq ?? seq + 1) <= seq) dropOne();
    },
  };
}
