import type { WorkerEvent } from "../../job/index.ts";

/** One event as it stands in the spool: `line` is its JSON without the newline. */
export interface SpooledLine {
  readonly seq: number;
  readonly line: string;
  readonly bytes: number;
}

/** How much a reader takes at once; at least one line always. */
export interface ReadLimits {
  readonly events: number;
  readonly bytes: number;
}

/** Writes an event with its `seq` first, where {@link seqOf} finds it without parsing the rest. */
export function toSpooledLine(event: WorkerEvent): SpooledLine {
  const { seq, ...rest } = event;
  const line = JSON.stringify({ seq, ...rest });
  return { seq, line, bytes: Buffer.byteLength(line) };
}

/** The sequence number at the head of a line, or null for a line that is none of ours. */
export function seqOf(line: string): number | null {
  const match = /^\{"seq":(\d+),/.exec(line);
  return match?.[1] === undefined ? null : Number(match[1]);
}

/** The longest head of `lines` that fits the limits, and at least one line. */
export function takeLines(lines: readonly SpooledLine[], limits: ReadLimits): readonly SpooledLine[] {
  let bytes = 0;
  let count = 0;
  for (const line of lines) {
    bytes += line.bytes;
    if (count > 0 && (count >= limits.events || bytes > limits.bytes)) break;
    count++;
  }
  return lines.slice(0, count);
}
