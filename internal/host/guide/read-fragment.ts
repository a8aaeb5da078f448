import { readFile, stat } from "node:fs/promises";
import { AppError, errnoOf, toError } from "../../base/index.ts";

/** Of all instructions together, too: every agent takes all of it into every request. */
export const INSTRUCTIONS_MAX_BYTES = 32 * 1024;

/** A part of the instructions as a person wrote it; null when there is no such file. @throws config.invalid */
export async function readFragment(path: string): Promise<string | null> {
  try {
    const { size } = await stat(path);
    if (size > INSTRUCTIONS_MAX_BYTES) throw tooLong(`the instructions in ${path} are`, size);
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT" || errnoOf(caught) === "ENOTDIR") return null;
    if (caught instanceof AppError) throw caught;
    throw new AppError({
      code: "config.invalid",
      message: `the instructions in ${path} cannot be read: ${toError(caught).message}`,
      hint: "make it a readable file of UTF-8 text, or remove it",
      cause: caught,
    });
  }
}

/** The error for instructions above the limit. `what` ends in "is" or "are". */
export function tooLong(what: string, bytes: number): AppError {
  return new AppError({
    code: "config.invalid",
    message: `${what} ${bytes} bytes long, at most ${INSTRUCTIONS_MAX_BYTES} are taken`,
    hint: "shorten them: every agent reads them with every request; longer texts fit in a skill",
  });
}
