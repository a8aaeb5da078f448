import type { CredentialSet } from "./credential-set.ts";
import type { Login } from "./login.ts";

/** Shorter values of a JSON file are words, not secrets. */
const VALUE_MIN = 8;
/** Shorter lines of any other file are. */
const LINE_MIN = 16;
/** As `user:inference`. */
const SCOPE = /^[a-z_]+(:[a-z_]+)+$/;

/**
 * Everything in these files that must not be seen in output: of JSON files each string value of at least 8 characters,
 * of others each line of at least 16 characters, and what stands behind its first `=` or `:`. Pure. For redaction
 * only: never for logs, errors or records.
 */
export function secretsOf(set: Pick<CredentialSet, "files">): readonly string[] {
  return [...new Set(set.files.flatMap(({ content }) => secretsIn(content.toString("utf8"))))];
}

/** As {@link secretsOf}, of a login's own file, without what its token may be used for: agents talk of that. */
export function secretsOfLogin({ file }: Login): readonly string[] {
  return file ? secretsOf({ files: [file] }).filter((value) => !SCOPE.test(value)) : [];
}

function secretsIn(text: string): readonly string[] {
  const json = parseJson(text);
  return json === null ? linesOf(text) : stringsIn(json).flatMap(spellingsOf);
}

/** Null for what is no JSON, and for a bare number: a token may be nothing but digits. */
function parseJson(text: string): object | string | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" || typeof value === "string" ? value : null;
  } catch {
    return null;
  }
}

/** All string values at any depth. Not recursive: the file may be nested deeper than the stack. */
function stringsIn(root: object | string): readonly string[] {
  const found: string[] = [];
  const open: unknown[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value === "string") found.push(value);
    else if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) open.push(inner);
  }
  return found;
}

/** A value as it may be printed: itself, as it stands in the file, and, of a key of many lines, each of them. */
function spellingsOf(value: string): readonly string[] {
  if (value.trim().length < VALUE_MIN) return [];
  const escaped = JSON.stringify(value).slice(1, -1);
  return [value.trim(), escaped, ...(value.includes("\n") ? linesOf(value) : [])];
}

function linesOf(text: string): readonly string[] {
  return text.split(/\r\n|[\r\n]/).flatMap((raw) => {
    const line = raw.trim();
    const value = /^[^=:]*[=:]\s*(["']?)(.*)\1$/.exec(line)?.[2] ?? "";
    return [line, value].filter((one) => one.length >= LINE_MIN);
  });
}
