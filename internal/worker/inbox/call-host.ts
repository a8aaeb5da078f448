import { type IncomingMessage, request } from "node:http";

/** A call of the host API. It may be sent several times: what is not a `GET` has a key, so that it takes effect once. */
export type HostCall =
  | { readonly method: "GET"; readonly path: string }
  | { readonly method: "POST"; readonly path: string; readonly key: string; readonly body: unknown };

/** The host API's answer. */
export interface HostReply {
  readonly status: number;
  /** Parsed JSON, or the text where it is none. */
  readonly body: unknown;
}

/** How a call went. */
export type CallOutcome =
  | { readonly kind: "answered"; readonly reply: HostReply }
  /** Nobody answered within the time, however often it was tried. */
  | { readonly kind: "unreachable"; readonly reason: string };

/** Time as the caller sees it. */
export interface CallClock {
  monotonicMs(): number;
  sleep(ms: number, opts: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/** Calls the lane's relay at `url`, again while the host restarts, `budgetMs` in all. */
export async function callHost(
  url: string,
  call: HostCall,
  opts: { readonly budgetMs: number; readonly clock: CallClock },
): Promise<CallOutcome> {
  const { clock } = opts;
  const deadlineMs = clock.monotonicMs() + opts.budgetMs;
  let reason = "no answer";
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      const reply = await send(url, call, Math.max(1, deadlineMs - clock.monotonicMs()));
      if (!isPassing(reply)) return { kind: "answered", reply };
      reason = textOf(reply.body, "detail") ?? "the host is not there";
    } catch (caught) {
      reason = (caught as Error).message;
    }
    if (clock.monotonicMs() + pauseMs >= deadlineMs) return { kind: "unreachable", reason };
    await clock.sleep(pauseMs, {});
  }
}

/** The host is away, did not come to it, or has too much to do. What an agent has too much of is no such thing. */
function isPassing({ status, body }: HostReply): boolean {
  return status === 503 || status === 504 || (status === 429 && textOf(body, "retry") === "retryable");
}

/** A field of an answer, if it is a text. */
export function textOf(body: unknown, field: string): string | null {
  const value = typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>)[field] : null;
  return typeof value === "string" ? value : null;
}

function send(url: string, call: HostCall, timeoutMs: number): Promise<HostReply> {
  return new Promise((resolve, reject) => {
    const body = call.method === "POST" ? Buffer.from(JSON.stringify(call.body)) : null;
    const headers = {
      accept: "application/json",
      ...(call.method === "POST" && { "idempotency-key": call.key, "content-type": "application/json" }),
      ...(body && { "content-length": body.length }),
    };
    const sent = request(`${url}${call.path}`, { method: call.method, agent: false, headers });
    const timer = setTimeout(() => sent.destroy(new Error("the host did not answer in time")), timeoutMs);
    const settle = (done: () => void) => {
      clearTimeout(timer);
      done();
    };
    sent.once("error", (error) => settle(() => reject(error)));
    sent.once("response", (response) => {
      readReply(response).then(
        (reply) => settle(() => resolve(reply)),
        (error: Error) => settle(() => reject(error)),
      );
    });
    sent.end(body ?? undefined);
  });
}

async function readReply(response: IncomingMessage): Promise<HostReply> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString("utf8");
  return { status: response.statusCode ?? 0, body: parseOrText(text) };
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
