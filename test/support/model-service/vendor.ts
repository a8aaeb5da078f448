import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Whose API is spoken: Claude Code asks `anthropic`, Codex `openai`, the Gemini CLI `gemini`. */
export const VENDORS = ["anthropic", "openai", "gemini"] as const;

/** One of {@link VENDORS}. */
export type Vendor = (typeof VENDORS)[number];

/** One way to refuse a request. */
export type Failure =
  /** As the vendor answers with this status; 529 (overloaded) is 503 where a vendor has no 529. 429 asks to come back in 1 s. */
  | { readonly kind: "status"; readonly status: number }
  /** A key the vendor never gave out. */
  | { readonly kind: "bad_key" }
  /** A spent allowance. */
  | { readonly kind: "limit"; readonly resetsAtMs: number }
  /** The script itself is wrong. */
  | { readonly kind: "script"; readonly message: string };

/** What was said so far, by the user or by the agent's tools; the assistant's part is left out. */
export interface Turn {
  readonly by: "user" | "tool";
  readonly text: string;
}

/** A request for an answer. */
export interface Question {
  readonly model: string;
  readonly stream: boolean;
  readonly turns: readonly Turn[];
  /** Names of the tools that the agent offers. */
  readonly tools: readonly string[];
}

/** Tokens, as they are reported. */
export interface Usage {
  readonly input: number;
  readonly output: number;
}

/** What the model says: a text, then maybe one shell command. */
export interface Reply {
  readonly text: string;
  readonly command: string | null;
  readonly usage: Usage;
}

/** A piece of an answer; `word` is true for a part of the text, after which a slow or cut answer waits or ends. */
export interface Chunk {
  readonly text: string;
  readonly word: boolean;
}

/** A whole HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** One vendor's API. Pure: sockets and time are the server's. */
export interface VendorApi {
  readonly owns: (path: string) => boolean;
  /** The key or token that came along; null when none did. */
  readonly credential: (headers: IncomingHttpHeaders) => string | null;
  /** The answer to a request that asks no model; null for one that does. */
  readonly aside: (path: string, body: unknown) => HttpAnswer | null;
  /** Throws when the body is not what the vendor's API takes. */
  readonly read: (path: string, body: unknown) => Question;
  readonly stream: (question: Question, reply: Reply) => readonly Chunk[];
  readonly whole: (question: Question, reply: Reply) => unknown;
  readonly fail: (failure: Failure, nowMs: number) => HttpAnswer;
}

/** An id as the vendors make them. */
export function vendorId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString("hex")}`;
}

/** One server-sent event. */
export function sse(data: unknown, event?: string): string {
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** The text word by word; together the pieces are the text. */
export function wordsOf(text: string): readonly string[] {
  return text.match(/\s*\S+\s*|\s+/g) ?? [];
}

/** The token of an Authorization header. */
export function bearer(headers: IncomingHttpHeaders): string | null {
  return /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? null;
}

/** The agents put words of their own into the user's mouth: context, reminders, notes on what was cut off. */
const NOT_A_PROMPT = [/^\s*<[a-z][a-z_-]*[\s>]/, /^\[Request interrupted/, /^# AGENTS\.md instructions/];

/** The user's turn with this text; none when the agent itself wrote it. */
export function userTurn(text: string): readonly Turn[] {
  return NOT_A_PROMPT.some((pattern) => pattern.test(text)) ? [] : [{ by: "user", text }];
}
