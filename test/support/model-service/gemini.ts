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

const part = z.looseObject({
  text: z.string().optional(),
  functionResponse: z.looseObject({ response: z.unknown() }).optional(),
});
const request = z.looseObject({
  contents: z.array(z.looseObject({ role: z.string().optional(), parts: z.array(part) })),
  generationConfig: z.looseObject({ responseMimeType: z.string().optional() }).optional(),
  tools: z
    .array(z.looseObject({ functionDeclarations: z.array(z.looseObject({ name: z.string() })).optional() }))
    .optional(),
});

const ERRORS: Readonly<Record<number, readonly [status: string, message: string]>> = {
  400: ["INVALID_ARGUMENT", "Scripted bad request"],
  401: ["UNAUTHENTICATED", "Request had invalid authentication credentials."],
  403: ["PERMISSION_DENIED", "The caller does not have permission"],
  429: ["RESOURCE_EXHAUSTED", "You exceeded your current quota. Please retry in 1s."],
  500: ["INTERNAL", "An internal error has occurred."],
  503: ["UNAVAILABLE", "The model is overloaded. Please try again later."],
};

/** `generateContent` and `streamGenerateContent`, as the Gemini CLI uses them. */
export const gemini: VendorApi = {
  owns: (path) => path.startsWith("/v1beta/"),
  credential: (headers) => [headers["x-goog-api-key"]].flat()[0] ?? bearer(headers),
  aside(path, body) {
    if (path.endsWith(":countTokens")) return { status: 200, body: { totalTokens: 100 } };
    return asksForJson(body) ? routingAnswer(modelOf(path)) : null;
  },
  read(path, body): Question {
    const { contents, tools } = request.parse(body);
    const turns = contents.filter((one) => one.role !== "model").flatMap((one) => one.parts.flatMap(turnsOf));
    const offered = (tools ?? []).flatMap((one) => one.functionDeclarations ?? []).map((one) => one.name);
    return { model: modelOf(path), stream: path.endsWith(":streamGenerateContent"), turns, tools: offered };
  },
  stream(question, reply): readonly Chunk[] {
    const words = wordsOf(reply.text).map((text) => ({ text: sse(piece(question, reply, [{ text }])), word: true }));
    return [...words, { text: sse({ ...piece(question, reply, callOf(reply), "STOP") }), word: false }];
  },
  whole: (question, reply) => piece(question, reply, [...textOf(reply), ...callOf(reply)], "STOP"),
  fail(failure, nowMs): HttpAnswer {
    const code = statusOf(failure);
    const [status, text] = ERRORS[code] ?? ["UNKNOWN", `Scripted failure ${code}`];
    const message = failure.kind === "script" ? failure.message : failure.kind === "bad_key" ? BAD_KEY : text;
    return { status: code, body: { error: { code, message, status, details: detailsOf(failure, nowMs) } } };
  },
};

const BAD_KEY = "API key not valid. Please pass a valid API key.";

/** Before the first answer the CLI asks a small model how hard the task is; an easy one gets the small model. */
function asksForJson(body: unknown): boolean {
  const parsed = request.safeParse(body);
  return parsed.success && parsed.data.generationConfig?.responseMimeType === "application/json";
}

function modelOf(path: string): string {
  return /models\/([^:/]+)/.exec(path)?.[1] ?? "";
}

function routingAnswer(model: string): HttpAnswer {
  const text = JSON.stringify({ complexity_reasoning: "scripted", complexity_score: 10 });
  const reply = { text, command: null, usage: { input: 10, output: 5 } };
  return { status: 200, body: piece({ model }, reply, textOf(reply), "STOP") };
}

function turnsOf(one: z.infer<typeof part>): readonly Turn[] {
  if (one.functionResponse) return [{ by: "tool", text: resultText(one.functionResponse.response) }];
  return one.text === undefined ? [] : userTurn(one.text);
}

function resultText(response: unknown): string {
  const parsed = z.looseObject({ output: z.string() }).safeParse(response);
  const text = parsed.success ? parsed.data.output : JSON.stringify(response);
  // The CLI lists more than the output; only that is of interest.
  return (
    /^Output: ([\s\S]*?)\n(?:Error|Exit Code|Signal|Background PIDs|Process Group PGID): /m.exec(text)?.[1] ?? text
  );
}

function textOf(reply: Reply): readonly unknown[] {
  return reply.text === "" ? [] : [{ text: reply.text }];
}

function callOf(reply: Reply): readonly unknown[] {
  if (reply.command === null) return [];
  const args = { command: reply.command, description: "scripted command" };
  return [{ functionCall: { id: vendorId("call"), name: "run_shell_command", args } }];
}

function piece(question: Pick<Question, "model">, reply: Reply, parts: readonly unknown[], finishReason?: "STOP") {
  const { input, output } = reply.usage;
  return {
    candidates: [{ content: { role: "model", parts }, ...(finishReason ? { finishReason } : {}), index: 0 }],
    usageMetadata: { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: input + output },
    modelVersion: question.model,
  };
}

function statusOf(failure: Failure): number {
  if (failure.kind === "status") return failure.status === 529 ? 503 : failure.status;
  return { bad_key: 400, limit: 429, script: 400 }[failure.kind];
}

function detailsOf(failure: Failure, nowMs: number): readonly unknown[] {
  const detail = (type: string, rest: object) => ({ "@type": `type.googleapis.com/google.rpc.${type}`, ...rest });
  if (failure.kind === "bad_key") return [detail("ErrorInfo", { reason: "API_KEY_INVALID", domain: "googleapis.com" })];
  if (failure.kind === "limit") {
    const seconds = Math.max(1, Math.ceil((failure.resetsAtMs - nowMs) / 1000));
    const quotaId = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
    return [
      detail("QuotaFailure", { violations: [{ quotaMetric: "generate_requests", quotaId }] }),
      detail("RetryInfo", { retryDelay: `${seconds}s` }),
    ];
  }
  return failure.kind === "status" && failure.status === 429 ? [detail("RetryInfo", { retryDelay: "1s" })] : [];
}
