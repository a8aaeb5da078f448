import * as z from "zod";
import { AppError, parseDurationMs } from "../base/index.ts";
import { parseSkillChoice, type SkillChoice } from "../lane/index.ts";

/** Kinds of values in configuration files, variables and flags. Each schema takes YAML's value or a variable's text. */

const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])i?)?b?$/i;
const SIZE_FACTOR: Readonly<Record<string, number>> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Parses `512m`, `2g`, `1.5GiB` or a number of bytes; units are powers of 1024, as Podman reads them. @throws usage.invalid */
export function parseSizeBytes(text: string): number {
  const match = SIZE.exec(text.trim());
  const factor = match?.[2] === undefined ? 1 : SIZE_FACTOR[match[2].toLowerCase()];
  const bytes = match?.[1] === undefined || factor === undefined ? Number.NaN : Math.round(Number(match[1]) * factor);
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new AppError({
    code: "usage.invalid",
    message: `not a size: ${JSON.stringify(text)}`,
    hint: "write a number and a unit, as in 512m or 2g",
  });
}

/** Runs one of the parsers above inside a schema, so that its complaint becomes the schema's. */
function by<T>(expected: string, parse: (value: string | number) => T) {
  return z.union([z.string(), z.number()], { error: `expected ${expected}` }).transform((value, ctx): T => {
    try {
      return parse(value);
    } catch (caught) {
      const hint = caught instanceof AppError ? caught.hint : undefined;
      ctx.addIssue({ code: "custom", message: `expected ${expected}${hint === undefined ? "" : ` (${hint})`}` });
      return z.NEVER;
    }
  });
}

/** A count from `min` to `max`. */
export const integer = (min: number, max: number) =>
  by(`a whole number from ${min} to ${max}`, (value) => {
    const number = toNumber(value);
    if (!Number.isInteger(number) || number < min || number > max) throw new RangeError("out of range");
    return number;
  });

/** A number above 0. */
export const positive = (max: number) =>
  by(`a number above 0, at most ${max}`, (value) => {
    const number = toNumber(value);
    if (!(number > 0 && number <= max)) throw new RangeError("out of range");
    return number;
  });

/** A size, to bytes. */
export const size = by("a size", (value) => parseSizeBytes(String(value)));

/** A duration with its unit, to milliseconds. A bare number is refused: its unit would be a guess. */
export const duration = by("a duration", (value) => parseDurationMs(String(value)));

/** A text that is not empty. */
export const text = z.string({ error: "expected a text" }).min(1, "expected a text, it is empty");

/** One of some words. */
export const oneOf = <const T extends string>(words: readonly T[]) =>
  z.enum(words, { error: `expected one of ${words.join(", ")}` });

/** Yes or no, as YAML or as a variable's text. */
export const yesOrNo = z.union(
  [z.boolean(), z.literal("true").transform(() => true), z.literal("false").transform(() => false)],
  { error: "expected true or false" },
);

/** Adds `none` (in YAML also `null`), which turns a limit off. */
export const orNone = <T>(schema: z.ZodType<T>) =>
  z.union([z.literal("none").transform(() => null), z.null(), schema], {
    error: (issue) => firstMessage(issue) ?? "expected a value or none",
  });

/** As {@link orNone}, and `0` turns the limit off as well. */
export const orOff = <T>(schema: z.ZodType<T>) =>
  z.union([z.literal(["none", "0", 0]).transform(() => null), z.null(), schema], {
    error: (issue) => firstMessage(issue) ?? "expected a value, or none or 0",
  });

/** Address of a container engine: `unix:///path`, an absolute path, `tcp://host:port` or `http://host:port`. */
export const engineAddress = text.transform((value, ctx) => {
  if (value.startsWith("/")) return `unix://${value}`;
  if (/^unix:\/\/\/[^\0]+$/.test(value) || /^(tcp|http):\/\/[^/\s]+:\d+\/?$/.test(value)) return value;
  ctx.addIssue({ code: "custom", message: "expected unix:///path/of/podman.sock or tcp://host:port" });
  return z.NEVER;
});

/** One folder that lanes may mount beyond their own. */
export interface AllowedMount {
  /** Absolute path on the host; itself and everything below may be mounted. */
  readonly path: string;
  readonly readOnly: boolean;
}

/** An absolute path on the host. */
export const absolutePath = z
  .string({ error: "expected an absolute path" })
  .regex(/^\//, "expected an absolute path")
  .refine((path) => !path.includes("\0") && !path.split("/").includes(".."), 'must not contain ".."');

/** Where an agent's login is taken from: a word, or the path of its login file. */
export const loginChoice = z.union(
  [z.enum(["auto", "env", "file", "none"]), absolutePath.transform((path) => path as `/${string}`)],
  { error: "expected auto, env, file, none or an absolute path" },
);

/** Skills by name, as a list, as a text with commas, or `all` or `none`. */
export const skillChoice = z
  .union([z.string(), z.array(z.string())], { error: "expected all, none or a list of names" })
  .transform((value, ctx): SkillChoice => {
    try {
      return typeof value === "string"
        ? parseSkillChoice(value)
        : value.length === 0
          ? []
          : parseSkillChoice(value.join(","));
    } catch {
      ctx.addIssue({ code: "custom", message: "expected all, none or a list of names of folders" });
      return z.NEVER;
    }
  });

/** Words of a command line. */
export const words = z.array(
  z.string().refine((word) => !word.includes("\0"), "must not hold a NUL"),
  { error: "expected a list of words" },
);

/** A command line as a list of words, without a shell. */
export const commandLine = words.min(1, "expected at least the program");

/** Variables of a process. */
export const environment = z
  .record(
    z.string(),
    z.string({ error: "expected a text" }).refine((value) => !value.includes("\0"), "must not hold a NUL"),
    { error: "expected a mapping of names to texts" },
  )
  .refine(
    (variables) => Object.keys(variables).every((name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)),
    "holds what is no name of an environment variable",
  );

/** The allow list: paths (read-only), or `{path, readOnly: false}`. */
export const allowedMounts = z.array(
  z.union(
    [
      absolutePath.transform((path): AllowedMount => ({ path, readOnly: true })),
      z.strictObject({ path: absolutePath, readOnly: z.boolean().default(true) }),
    ],
    { error: 'expected an absolute path without "..", or {path, readOnly}' },
  ),
  { error: "expected a list of paths" },
);

function toNumber(value: string | number): number {
  if (typeof value === "number") return value;
  return /^-?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : Number.NaN;
}

/** The complaint of a union's last branch, which is the one worth reading in the unions of this file. */
function firstMessage(issue: { readonly code?: string | undefined }): string | undefined {
  const errors = (issue as { readonly errors?: readonly (readonly { readonly message: string }[])[] }).errors;
  return errors?.at(-1)?.[0]?.message;
}
