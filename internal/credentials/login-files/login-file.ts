import * as z from "zod";

/** What a login file says of its login. */
export interface LoginFacts {
  /** The token that stands for the login: what renews it, or else what it is used with. Secret. */
  readonly secret: string;
  /** When its present access token ends, ms since the epoch; null where it does not say. */
  readonly expiresAtMs: number | null;
  /** When nothing can renew it any more; null for never, or where it does not say. */
  readonly endsAtMs: number | null;
  /** Its refresh token works once: whoever renews it logs every other copy out. */
  readonly rotates: boolean;
  /** Whose it is, where the file says so. */
  readonly identity: string | null;
}

/** Can a file be used? `reason` goes behind the file's name, and never quotes it. */
export type LoginCheck =
  | { readonly kind: "ok"; readonly facts: LoginFacts }
  | { readonly kind: "refused"; readonly reason: string };

/** All that is known of one agent's login file. */
export interface LoginFile {
  /** Judges the file's text. Pure; does not look at the clock. */
  readonly check: (text: string) => LoginCheck;
  /** The keys of the file that a renewal changes. */
  readonly renewed: readonly string[];
  /** What a person does on the host to log in, as an imperative. */
  readonly logIn: string;
}

/** A token that may be missing, null or blank: then it is null. */
export const tokenSchema = z
  .string()
  .nullish()
  .transform((token) => token?.trim() || null);

/** The last moment that a date can be. */
const TIME_MAX_MS = 8.64e15;

/** Null for a number that is no time. */
export function toTime(ms: number): number | null {
  return Math.abs(ms) > TIME_MAX_MS ? null : ms;
}

/** A time in ms that may be missing or null. */
export const timeSchema = z
  .number()
  .nullish()
  .transform((ms) => (ms == null ? null : toTime(ms)));

/** A check by a schema of the file's JSON. Neither the parser's words nor the schema's are passed on with a value. */
export function checkBy<T>(schema: z.ZodType<T>, judge: (file: T) => LoginCheck): (text: string) => LoginCheck {
  return (text) => {
    if (text.trim() === "") return refuse("is empty");
    const json = parse(text);
    if (json === undefined) return refuse("is not complete JSON: it was cut off, or is no login file");
    const parsed = schema.safeParse(json);
    if (parsed.success) return judge(parsed.data);
    const issue = parsed.error.issues[0];
    const at = issue?.path.join(".") ?? "";
    return refuse(`is no login file${at === "" ? "" : `: ${at} is missing or of the wrong type`}`);
  };
}

/** A refusal. */
export function refuse(reason: string): LoginCheck {
  return { kind: "refused", reason };
}

/** JSON holds no `undefined`. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
