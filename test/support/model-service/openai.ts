import { z } from "zod";
import {
  bearer,
  type Chunk,
  type Failure,
  type HttpAnswer,
  type Question,
  type Reply,
  sse,
  type Turn,
  userTurn,
  type VendorApi,
  vendorId,
  wordsOf,
} from "./vendor.ts";

const tool: z.ZodType<{ name?: string | undefined; tools?: unknown }> = z.looseObject({
  name: z.string().optional(),
  tools: z.unknown().optional(),
});
const item = z.looseObject({
  type: z.string().optional(),
  role: z.string().optional(),
  content: z.unknown().optional(),
  output: z.unknown().optional(),
  tools: z.unknown().optional(),
});
const request = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  input: z.array(item),
  tools: z.unknown().optional(),
});
const parts = z.array(z.looseObject({ text: z.string().optional() }));

const ERRORS: Readonly<Record<number, readonly [type: string, code: string, message: string]>> = {
  400: ["invalid_request_error", "invalid_request", "Scripted bad request"],
  401: ["invalid_request_error", "invalid_api_key", "Incorrect API key provided"],
  403: ["invalid_request_error", "permission_denied", "You do not have access to this model"],
  429: ["requests", "rate_limit_exceeded", "Rate limit reached. Please try again in 1s."],
  500: ["server_error", "server_error", "The server had an error while processing your request"],
  503: ["service_unavailable_error", "server_is_overloaded", "Our servers are currently overloaded"],
};

/** The responses API, as Codex uses it. */
export const openai: VendorApi = {
  owns: (path) => path.startsWith("/v1/responses"),
  credential: bearer,
  aside: () => null,
  read(_path, body): Question {
    const { model, stream, input, tools } = request.parse(body);
    const offered = [tools, ...input.filter((one) => one.type === "additional_tools").map((one) => one.tools)];
    return { model, stream: stream ?? false, turns: input.flatMap(turnsOf), tools: offered.flatMap(namesOf) };
  },
  stream(question, reply): readonly Chunk[] {
    const response = { ...envelope(question, reply), status: "in_progress", output: [], usage: null };
    return [
      event("response.created", { response }),
      ...outputOf(question, reply).flatMap((one, index) => streamItem(one, index, reply)),
      event("response.completed", { response: envelope(question, reply) }),
    ];
  },
  whole: (question, reply) => envelope(question, reply),
  fail(failure, nowMs): HttpAnswer {
    const status = statusOf(failure);
    const headers = {
      "x-request-id": vendorId("req"),
      ...(failure.kind === "status" && status === 429 ? { "retry-after": "1" } : {}),
    };
    if (failure.kind === "limit")
      return { status, headers, body: { error: spentAllowance(failure.resetsAtMs, nowMs) } };
    const [type, code, text] = ERRORS[status] ?? ["server_error", "server_error", `Scripted failure ${status}`];
    const message = failure.kind === "script" ? failure.message : text;
    return { status, headers, body: { error: { message, type, param: null, code } } };
  },
};

function turnsOf(one: z.infer<typeof item>): readonly Turn[] {
  if (one.type?.endsWith("_call_output")) return [{ by: "tool", text: outputText(one.output) }];
  if (one.type !== "message" || one.role !== "user") return [];
  if (typeof one.content === "string") return userTurn(one.content);
  const parsed = parts.safeParse(one.content);
  return parsed.success ? parsed.data.flatMap((part) => userTurn(part.text ?? "")) : [];
}

function outputText(output: unknown): string {
  // The shell function puts a head before what the command printed.
  if (typeof output === "string") return output.split("\nOutput:\n").at(-1) ?? "";
  const parsed = parts.safeParse(output);
  // So does the script tool, as a part of its own.
  return parsed.success ? (parsed.data.at(-1)?.text ?? "") : "";
}

function namesOf(tools: unknown): readonly string[] {
  const parsed = z.array(tool).safeParse(tools);
  return parsed.success ? parsed.data.flatMap((one) => [...(one.name ? [one.name] : []), ...namesOf(one.tools)]) : [];
}

type Item = { readonly type: string; readonly id: string } & Readonly<Record<string, unknown>>;

function outputOf(question: Question, reply: Reply): readonly Item[] {
  const content = [{ type: "output_text", text: reply.text, annotations: [] }];
  const said: Item = { type: "message", id: vendorId("msg"), role: "assistant", status: "completed", content };
  const text = reply.text === "" ? [] : [said];
  return reply.command === null ? text : [...text, callOf(question, reply.command)];
}

/** Codex offers either a plain shell function or one tool that runs JavaScript, which can call that function. */
function callOf(question: Question, command: string): Item {
  const call = { status: "completed", call_id: vendorId("call") };
  const cmd = JSON.stringify(command);
  if (question.tools.includes("exec_command")) {
    const args = `{"cmd":${cmd},"yield_time_ms":30000}`;
    return { type: "function_call", id: vendorId("fc"), ...call, name: "exec_command", arguments: args };
  }
  return {
    type: "custom_tool_call",
    id: vendorId("ctc"),
    ...call,
    name: "exec",
    input: SCRIPT.replace("COMMAND", () => cmd),
  };
}

/** Waits for the command's end, however long it takes. */
const SCRIPT = `// @exec: {"yield_time_ms": 600000}
let step = await tools.exec_command({ cmd: COMMAND });
let output = step.output;
while (step.session_id !== undefined) {
  step = await tools.write_stdin({ session_id: step.session_id, yield_time_ms: 30000 });
  output += step.output;
}
text(output);`;

function streamItem(one: Item, index: number, reply: Reply): readonly Chunk[] {
  const at = { output_index: index };
  const words = one.type === "message" ? wordsOf(reply.text) : [];
  return [
    event("response.output_item.added", {
      ...at,
      item: { ...one, status: "in_progress", ...(one.type === "message" ? { content: [] } : {}) },
    }),
    ...words.map((delta) =>
      event("response.output_text.delta", { ...at, item_id: one.id, content_index: 0, delta }, true),
    ),
    event("response.output_item.done", { ...at, item: one }),
  ];
}

function event(type: string, rest: object, word = false): Chunk {
  return { text: sse({ type, ...rest }, type), word };
}

function envelope(question: Question, reply: Reply) {
  const { input, output } = reply.usage;
  return {
    id: vendorId("resp"),
    object: "response",
    status: "completed",
    model: question.model,
    output: outputOf(question, reply),
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + output,
    },
  };
}

function statusOf(failure: Failure): number {
  if (failure.kind === "status") return failure.status === 529 ? 503 : failure.status;
  return { bad_key: 401, limit: 429, script: 400 }[failure.kind];
}

function spentAllowance(resetsAtMs: number, nowMs: number) {
  return {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    plan_type: "plus",
    resets_at: Math.ceil(resetsAtMs / 1000),
    resets_in_seconds: Math.max(1, Math.ceil((resetsAtMs - nowMs) / 1000)),
  };
}
