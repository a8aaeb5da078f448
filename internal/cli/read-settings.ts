import { parseSettings } from "./lane-settings.ts";

/** Reads `key=value…` with the product's way of writing sizes. @throws usage.invalid */
export async function readSettings(words: readonly string[]): Promise<ReturnType<typeof parseSettings>> {
  // Loaded only here: the configuration's parsers bring zod and yaml along.
  const { parseSizeBytes } = await import("../config/index.ts");
  return parseSettings(words, parseSizeBytes);
}
