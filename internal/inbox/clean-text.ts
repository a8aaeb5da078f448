import { AppError } from "../base/index.ts";

/** Colours and the like, as programs print them for a terminal. */
const TERMINAL = /(?!\s)\p{Cc}\[[0-9;?]*[A-Za-z]/gu;
/** What is no text: control characters but line end and tab, what turns the reading direction, halves of characters. */
const NO_TEXT = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\p{Cs}]/gu;

/** Makes a text that came from inside a lane fit to be kept and shown: no control characters, line ends alike. */
export function cleanText(text: string): string {
  return text.replace(TERMINAL, "").replace(/\r\n?/g, "\n").replace(NO_TEXT, "").trim();
}

/** As {@link cleanText}, in one line. */
export function cleanLine(text: string): string {
  return cleanText(text).replace(/\s+/g, " ");
}

/** A text that must not be empty when it is clean. @throws request.invalid naming `what` */
export function needText(text: string, what: string): string {
  if (text !== "") return text;
  throw new AppError({ code: "request.invalid", message: `${what} has no text that can be shown` });
}
