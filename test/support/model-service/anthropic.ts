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

const block = z.looseObject({ type: z.string(), text: z.string().optional(), content: z.unknown().optional() });
const request = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  messages: z.array(z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(block)]) })),
  tools: z.array(z.looseObject({ name: z.string().optional() })).optional(),
});

const ERROR_TYPES: Readonly<Record<number, readonly [type: string, message: string]>> = {
  400: ["invalid_request_error", "Scripted bad request"],
  401: ["authentication_error", "invalid x-api-key"],
  403: ["permission_error", "Your account does not have access"],
  429: ["rate_limit_error", "This request would exceed your rate limit"],
  500: ["api_error", "Internal server error"],
  529: ["overloaded_error", "Overloaded"],
};

/** The messages API, as Claude Code uses it. */
export const anthropic: VendorApi = {
  owns: (path) => path.startsWith("/v1/messages") || path === "/api/hello",
  credential: (headers) => [headers["x-api-key"]].flat()[0] ?? bearer(headers),
  aside(path) {
    if (path === "/api/hello") return { status: 200, body: { message: "hello" } };
    if (path === "/v1/messages/count_tokens") return { status: 200, body: { input_tokens: 100 } };
    return null;
  },
  read(_path, body): Question {
    const { model, stream, messages, tools } = request.parse(body);
    const turns = messages.filter((one) => one.role === "user").flatMap((one) => turnsOf(one.content));
    return { model, stream: stream ?? false, turns, tools: (tools ?? []).flatMap((tool) => tool.name ?? []) };
  },
  stream(question, reply): readonly Chunk[] {
    const blocks = blocksOf(reply);
    const mark = (type: string, rest: object = {}): Chunk => ({ text: sse({ type, ...rest }, type), word: false });
    const started = { ...message(question, reply), content: [], stop_reason: null, usage: usageOf(reply, 1) };
    return [
      mark("message_start", { message: started }),
      ...blocks.flatMap((one, index) => streamBlock(one, index)),
      mark("message_delta", {
        delta: { stop_reason: stopReason(reply), stop_sequence: null },
        usage: usageOf(reply, reply.usage.output),
      }),
      mark("message_stop"),
    ];
  },
  whole: (question, reply) => message(question, reply),
  fail(failure, nowMs): HttpAnswer {
    const status = statusOf(failure);
    const [type, text] = ERROR_TYPES[status] ?? ["api_error", `Scripted failure ${status}`];
    const id = vendorId("req");
    const error = { type, message: failure.kind === "script" ? failure.message : text };
    return {
      status,
      headers: { "request-id": id, ...limitHeaders(failure, nowMs) },
      body: { type: "error", error, request_id: id },
    };
  },
};

function turnsOf(content: z.infer<typeof request>["messages"][number]["content"]): readonly Turn[] {
  if (typeof content === "string") return userTurn(content);
  return content.flatMap((one) => {
    if (one.type === "tool_result") return [{ by: "tool", text: textOf(one.content) } as const];
    return one.type === "text" ? userTurn(one.text ?? "") : [];
  });
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  const parsed = z.array(block).safeParse(content);
  return parsed.success ? parsed.data.map((one) => one.text ?? "").join("") : "";
}

type Block =
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "tool_use";
      readonly id: string;
      readonly name: string;
      readonly input: Readonly<Record<string, string>>;
    };

function blocksOf(reply: Reply): readonly Block[] {
  const text: readonly Block[] = reply.text === "" ? [] : [{ type: "text", text: reply.text }];
  if (reply.command === null) return text;
  const input = { command: reply.command, description: "scripted command" };
  return [...text, { type: "tool_use", id: vendorId("toolu"), name: "Bash", input }];
}

function streamBlock(one: Block, index: number): readonly Chunk[] {
  const empty = one.type === "text" ? { ...one, text: "" } : { ...one, input: {} };
  const deltas =
    one.type === "text"
      ? wordsOf(one.text).map((text) => ({ type: "text_delta", text }))
      : [{ type: "input_json_delta", partial_json: JSON.stringify(one.input) }];
  const event = (type: string, rest: object, word = false): Chunk => ({
    text: sse({ type, index, ...rest }, type),
    word,
  });
  return [
    event("content_block_start", { content_block: empty }),
    ...deltas.map((delta) => event("content_block_delta", { delta }, one.type === "text")),
    event("content_block_stop", {}),
  ];
}

function message(question: Question, reply: Reply) {
  return {
    id: vendorId("msg"),
    type: "message",
    role: "assistant",
    model: question.model,
    content: blocksOf(reply),
    stop_reason: stopReason(reply),
    stop_sequence: null,
    usage: usageOf(reply, reply.usage.output),
  };
}

function stopReason(reply: Reply): string {
  return reply.command === null ? "end_turn" : "tool_use";
}

function usageOf(reply: Reply, output: number) {
  return {
    input_tokens: reply.usage.input,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: output,
    service_tier: "standard",
  };
}

function statusOf(failure: Failure): number {
  if (failure.kind === "status") return failure.status;
  return { bad_key: 401, limit: 429, script: 400 }[failure.kind];
}

/** A spent allowance of a subscription is told by headers alone; the CLI reads them when it has a login token. */
function limitHeaders(failure: Failure, nowMs: number): Readonly<Record<string, string>> {
  if (failure.kind === "status" && failure.status === 429) return { "retry-after": "1" };
  if (failure.kind !== "limit") return {};
  const seconds = Math.max(1, Math.ceil((failure.resetsAtMs - nowMs) / 1000));
  const resetsAt = String(Math.ceil(failure.resetsAtMs / 1000));
  return {
    "retry-after": String(seconds),
    "x-should-retry": "false",
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": resetsAt,
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
    "anthropic-ratelimit-unified-overage-status": "rejected",
  };
}
