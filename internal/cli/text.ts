import { renderDuration } from "../base/index.ts";

/** Makes text that others wrote harmless on a terminal: one line, no control characters. */
export function toPlain(text: string): string {
  return text
    .replace(/[\r\n\t]+/g, " ")
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, (char) => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`);
}

/**
 * JSON that is harmless on a terminal, too: JSON itself escapes only the first half of the control characters. `indent`
 * as of `JSON.stringify`.
 */
export function toSafeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\p{Bidi_Control}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** As {@link toPlain}, for texts of several lines: line ends and tabs stay. */
export function toPlainText(text: string): string {
  return text.replace(/[^\n\t]+/g, toPlain);
}

/** Cuts text to `width` columns; the cut is marked. */
export function truncate(text: string, width: number): string {
  const chars = [...text];
  if (chars.length <= width) return text;
  return width <= 1 ? chars.slice(0, width).join("") : `${chars.slice(0, width - 1).join("")}…`;
}

/** Breaks text at spaces into lines of at most `width` columns; longer words are kept whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** A moment for people, as `5m ago`; `-` for none. */
export function renderAge(iso: string | null, nowMs: number): string {
  if (iso === null) return "-";
  const ms = nowMs - Date.parse(iso);
  if (Number.isNaN(ms)) return "-";
  return ms < 0 ? `in ${renderDuration(-ms)}` : `${renderDuration(ms)} ago`;
}

/** `1 lane`, `2 lanes`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The words of a command as one would type them. */
export function renderArgv(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

/** A build's id, short enough to be read: the ids are digests of 64 digits. */
export function shortBuild(build: string): string {
  return build.slice(0, 12);
}
