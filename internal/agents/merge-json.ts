import type { JsonSettings } from "./agent.ts";
import { type JsonObject, parseObject, toObject } from "./json-fields.ts";

/**
 * The text of a settings file that holds `wanted`, beside all else that was in it. What is there and is no JSON object
 * is replaced.
 */
export function mergeJson(existing: string | null, wanted: JsonSettings): string {
  return `${JSON.stringify(merge(existing === null ? null : parseObject(existing), wanted), null, 2)}\n`;
}

function merge(existing: JsonObject | null, wanted: JsonSettings): JsonObject {
  const merged = new Map(Object.entries(existing ?? {}));
  for (const [key, value] of Object.entries(wanted)) {
    merged.set(key, typeof value === "object" ? merge(toObject(merged.get(key)), value) : value);
  }
  // Defines fields; a `__proto__` of the file is one like any other.
  return Object.fromEntries(merged);
}
