import { type IncomingMessage, request } from "node:http";

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

/**
 * `GET` on the lane's relay, tried again while the host restarts, `budgetMs` in all. Only for calls that may be
 * repeated.
 */
export async function callHost(
  url: string,
  opts: { readonly budgetMs: number; readonly clock: CallClock },
): Promise<CallOutcome> {
  const { clock } = opts;
  const deadlineMs = clock.monotonicMs() + opts.budgetMs;
  let reason = "no answer";
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      const reply = await get(url, Math.max(1, deadlineMs - clock.monotonicMs()));
      if (reply.status !== 503) return { kind: "answered", reply };
      reason = detailOf(reply.body) ?? "the host is not there";
    } catch (caught) {
      reason = (caught as Error).message;
    }
    if (clock.monotonicMs() + pauseMs >= deadlineMs) return { kind: "unreachable", reason };
    await clock.sleep(pauseMs, {});
  }
}

/** The `detail` of a problem body, if it is one. */
export function detailOf(body: unknown): string | null {
  const detail = typeof body === "object" && body !== null ? (body as { readonly detail?: unknown }).detail : null;
  return typeof detail === "string" ? detail : null;
}

function get(url: string, timeoutMs: number): Promise<HostReply> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: "GET", agent: false, headers: { accept: "application/json" } });
    const timer = setTimeout(() => call.destroy(new Error("the host did not answer in time")), timeoutMs);
    const settle = (done: () => void) => {
      clearTimeout(timer);
      done();
    };
    call.once("error", (error) => settle(() => reject(error)));
    call.once("response", (response) => {
      readReply(response).then(
        (reply) => settle(() => resolve(reply)),
        (error: Error) => settle(() => reject(error)),
      );
    });
    call.end();
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
