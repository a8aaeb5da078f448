import * as z from "zod";
import { AGENT_LIMITS } from "./link-terms.ts";
import { count, eventBase } from "./link-values.ts";

const text = z.string().max(AGENT_LIMITS.text);
const name = z.string().max(AGENT_LIMITS.name);
const atMs = z.number().nullable();

const usage = z.strictObject({
  inputTokens: count,
  outputTokens: count,
  cacheReadTokens: count,
  costUsd: z.number().nonnegative().nullable(),
});

/** What a run said of itself, at its end. */
export const agentSummarySchema = z.strictObject({
  session: name.nullable(),
  text: text.nullable(),
  usage: usage.nullable(),
  final: z
    .strictObject({
      ok: z.boolean(),
      facts: z.strictObject({
        message: text.nullable(),
        httpStatus: z.number().int().nullable(),
        code: name.nullable(),
        resetsAtMs: atMs,
      }),
    })
    .nullable(),
});

/** Agent events as the worker sends and spools them. */
export const AGENT_EVENTS = [
  z.strictObject({ ...eventBase, type: z.literal("session"), session: name, model: name.nullable() }),
  z.strictObject({ ...eventBase, type: z.literal("text"), text, partial: z.boolean() }),
  z.strictObject({ ...eventBase, type: z.literal("thinking"), text }),
  z.strictObject({ ...eventBase, type: z.literal("tool_started"), tool: name, call: name, title: name }),
  z.strictObject({ ...eventBase, type: z.literal("tool_output"), call: name, text }),
  z.strictObject({ ...eventBase, type: z.literal("tool_finished"), call: name, ok: z.boolean(), text }),
  z.strictObject({ ...eventBase, type: z.literal("files_changed"), paths: z.array(name).max(AGENT_LIMITS.list) }),
  z.strictObject({
    ...eventBase,
    type: z.literal("plan"),
    steps: z.array(z.strictObject({ text: name, done: z.boolean() })).max(AGENT_LIMITS.list),
  }),
  z.strictObject({
    ...eventBase,
    type: z.literal("ask"),
    question: text,
    choices: z.array(name).max(AGENT_LIMITS.list),
  }),
  z.strictObject({ ...eventBase, type: z.literal("rate_limited"), message: text, resetsAtMs: atMs, cause: name }),
  z.strictObject({ ...eventBase, type: z.literal("usage"), usage }),
  z.strictObject({ ...eventBase, type: z.literal("warning"), message: text }),
] as const;
