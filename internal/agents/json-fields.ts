/** An object that came out of `JSON.parse`: nothing is known of its fields. */
export type JsonObject = { readonly [key: string]: unknown };

/** The object that a text is; null for anything else. Never throws. */
export function parseObject(text: string): JsonObject | null {
  try {
    return toObject(JSON.parse(text));
  } catch {
    return null;
  }
}

/** The value as an object; null for arrays and everything else. */
export function toObject(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

/** A field that is an object; null else. Only own fields count, whatever a prototype has. */
export function objectIn(from: JsonObject | null, key: string): JsonObject | null {
  return toObject(own(from, key));
}

/** A field that is a string; null else. */
export function textIn(from: JsonObject | null, key: string): string | null {
  const value = own(from, key);
  return typeof value === "string" ? value : null;
}

/** A field that is a finite number; null else. */
export function numberIn(from: JsonObject | null, key: string): number | null {
  const value = own(from, key);
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** The elements of a field that are objects; none where it is no array. */
export function objectsIn(from: JsonObject | null, key: string): readonly JsonObject[] {
  return listIn(from, key).flatMap((value) => {
    const object = toObject(value);
    return object ? [object] : [];
  });
}

/** The elements of a field that are strings; none where it is no array. */
export function textsIn(from: JsonObject | null, key: string): readonly string[] {
  return listIn(from, key).filter((value) => typeof value === "string");
}

/** Is a field the value `true`? */
export function isTrue(from: JsonObject | null, key: string): boolean {
  return own(from, key) === true;
}

/** Tokens and the like: a field that is a number of at least 0; else 0. Bounded, so that sums stay finite. */
export function countIn(from: JsonObject | null, key: string): number {
  return Math.min(Math.max(0, numberIn(from, key) ?? 0), Number.MAX_SAFE_INTEGER);
}

/** A field that is a status code of HTTP; null else. */
export function statusIn(from: JsonObject | null, key: string): number | null {
  const value = numberIn(from, key);
  return value !== null && Number.isInteger(value) && value >= 100 && value <= 599 ? value : null;
}

function listIn(from: JsonObject | null, key: string): readonly unknown[] {
  const value = own(from, key);
  return Array.isArray(value) ? value : [];
}

function own(from: JsonObject | null, key: string): unknown {
  return from !== null && Object.hasOwn(from, key) ? from[key] : undefined;
}
