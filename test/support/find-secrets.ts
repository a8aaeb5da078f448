import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** A secret, and the files that it is in by design: paths, or beginnings of paths. */
export interface Secret {
  readonly name: string;
  readonly value: string;
  readonly home: readonly string[];
}

/** Where a secret was found, and how it was spelled there. Never its value. */
export interface SecretHit {
  readonly where: string;
  readonly name: string;
  readonly form: "plain" | "json" | "json twice" | "base64" | "hex" | "url";
}

/** Looks for secrets in many places, and counts what it looked at. */
export interface SecretHunt {
  readonly hits: readonly SecretHit[];
  readonly places: number;
  readonly bytes: number;
  look(where: string, content: string | Buffer): void;
  /** Every file below the folder, but those below `except`. */
  lookBelow(folder: string, except?: readonly string[]): Promise<void>;
}

/** A hunt for these secrets, in each form that a program may give them. */
export function huntFor(secrets: readonly Secret[]): SecretHunt {
  const needles = secrets.flatMap((secret) =>
    formsOf(secret.value).map(([form, text]) => ({ secret, form, bytes: Buffer.from(text) })),
  );
  const hits: SecretHit[] = [];
  const sum = { places: 0, bytes: 0 };
  const look: SecretHunt["look"] = (where, content) => {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    sum.places += 1;
    sum.bytes += bytes.length;
    for (const { secret, form, bytes: needle } of needles) {
      if (secret.home.some((path) => where.startsWith(path))) continue;
      if (bytes.includes(needle)) hits.push({ where, name: secret.name, form });
    }
  };
  const lookBelow: SecretHunt["lookBelow"] = async (folder, except = []) => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (except.includes(path)) continue;
      if (entry.isDirectory()) await lookBelow(path, except);
      // The daemon lives on: a file may go while we look.
      else if (entry.isFile()) look(path, await readFile(path).catch(() => ""));
    }
  };
  return {
    hits,
    get places() {
      return sum.places;
    },
    get bytes() {
      return sum.bytes;
    },
    look,
    lookBelow,
  };
}

function formsOf(value: string): readonly (readonly [SecretHit["form"], string])[] {
  const json = escapeJson(value);
  const forms: (readonly [SecretHit["form"], string])[] = [
    ["plain", value],
    ["json", json],
    ["json twice", escapeJson(json)],
    ["hex", Buffer.from(value).toString("hex")],
    ["url", encodeURIComponent(value)],
    ...[0, 1, 2].map((offset) => ["base64", base64In(value, offset)] as const),
  ];
  return forms.filter(([, text], at) => forms.findIndex(([, other]) => other === text) === at);
}

function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** What stands in the base64 of a longer text for `value`, whatever is around it; `offset` is its place modulo 3. */
function base64In(value: string, offset: number): string {
  const whole = Buffer.from(`${"-".repeat(offset)}${value}`).toString("base64");
  return whole.slice(offset === 0 ? 0 : 4, Math.floor((offset + value.length) / 3) * 4);
}
