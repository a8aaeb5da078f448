/** Characters of an answer or a thought that are kept, in an event as in the summary. */
export const TEXT_MAX = 256 * 1024;

/** Characters that are kept of what one tool call printed. */
export const OUTPUT_MAX = 32 * 1024;

const LINE_MAX = 300;

/** A text of at most about `max` characters: its head and its tail, with a word on what was cut. */
export function clip(text: string, max: number): string {
  if (text.length <= max) return text;
  const half = Math.floor(max / 2);
  return `${text.slice(0, half)}\n[${text.length - 2 * half} characters cut]\n${text.slice(-half)}`;
}

/** Colours and the like, as programs print them for a terminal. */
const TERMINAL = /\p{Cc}\[[0-9;]*[A-Za-z]/gu;

/** A text as one line of at most 300 characters without control characters, for titles and messages. */
export function toLine(text: string): string {
  // Cut first: what is hostile may be megabytes.
  const start = text.slice(0, LINE_MAX * 4).replace(TERMINAL, "");
  const line = start.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length > LINE_MAX ? `${line.slice(0, LINE_MAX - 1)}…` : line;
}
