import type { z } from "zod";
import { corruptError } from "./errors.ts";

/** Stored JSON through its schema. @throws store.corrupt naming `what`: only our own code wrote it, so it must fit */
export function parseStored<T>(
  schema: z.ZodType<T>,
  text: string,
  at: { readonly path: string; readonly what: string },
): T {
  const parsed = schema.safeParse(parseJson(text, at));
  if (!parsed.success) throw corruptError(at.path, `${at.what} cannot be read`, parsed.error);
  return parsed.data;
}

/** Stored JSON whose shape is not looked at. @throws store.corrupt naming `what` */
export function parseJson(text: string, at: { readonly path: string; readonly what: string }): unknown {
  try {
    return JSON.parse(text);
  } catch (caught) {
    throw corruptError(at.path, `${at.what} is not JSON`, caught);
  }
}
