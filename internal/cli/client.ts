import type { IncomingMessage } from "node:http";
import { AppError, abortReason, withDeadline } from "../base/index.ts";
import { type HttpAnswer, type HttpCall, openCall, readBody, toUnreachable } from "./http-call.ts";
import { parseSse, type SseMessage } from "./sse.ts";

/** The wire's schemas; loaded while the first answer is under way, since zod costs 30 ms of start-up time. */
export type Protocol = typeof import("../protocol/index.ts");

/** Checks an answer: picks the schema to parse with. */
export type Pick<T> = (protocol: Protocol) => { parse(value: unknown): T };

/** What a call may say beyond its path. */
export interface CallInit {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE" | undefined;
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the whole answer, ms. */
  readonly timeoutMs?: number | undefined;
  /** An error status whose body is an answer all the same. */
  readonly accept?: number | undefined;
}

/** The daemon over its socket. */
export interface Client {
  /** @throws daemon.unreachable, timeout, cancelled, and whatever problem the daemon answers */
  call<T>(path: string, pick: Pick<T>, init?: CallInit): Promise<T>;
  /** A call whose answer does not matter beyond success. */
  send(path: string, init?: CallInit): Promise<void>;
  /**
   * Messages of an event stream until the daemon ends it. `idleMs` without a single byte counts as broken.
   * @throws daemon.unreachable when it breaks off, cancelled, and whatever problem the daemon answers
   */
  stream(
    path: string,
    init: CallInit & { readonly idleMs: number; readonly lastId?: number | undefined },
  ): AsyncGenerator<SseMessage, void>;
}

/** The daemon answers all but the waiting calls in milliseconds; engine calls may take their time. */
const CALL_BUDGET_MS = 60_000;

/** Makes a client of the daemon listening at `socketPath`. Opens nothing yet. */
export function createClient(opts: {
  readonly socketPath: string;
  readonly signal: AbortSignal;
  readonly loadProtocol: () => Promise<Protocol>;
}): Client {
  const toCall = (
    path: string,
    init: CallInit,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): HttpCall => ({
    socketPath: opts.socketPath,
    method: init.method ?? "GET",
    path: path + toQuery(init.query),
    headers,
    body: init.body,
    signal,
  });

  const exchange = (path: string, init: CallInit): Promise<string> => {
    const ms = init.timeoutMs ?? CALL_BUDGET_MS;
    const makeError = () =>
      new AppError({
        code: "timeout",
        message: `laned did not answer within ${ms} ms (${path})`,
        hint: "see `lane status` and laned's log",
      });
    return withDeadline({ ms, signal: either(opts.signal, init.signal), makeError }, async (signal) => {
      const call = toCall(path, init, {}, signal);
      const answer = await openCall(call);
      const text = await readBody(call, answer);
      if (answer.status >= 400 && answer.status !== init.accept)
        throw await toProblemError(answer, text, opts.loadProtocol);
      return text;
    });
  };

  return {
    async call(path, pick, init = {}) {
      const [text, protocol] = await Promise.all([exchange(path, init), opts.loadProtocol()]);
      return parseAnswer(path, text, pick(protocol));
    },
    async send(path, init = {}) {
      await exchange(path, init);
    },
    async *stream(path, init) {
      const signal = either(opts.signal, init.signal);
      const headers = {
        accept: "text/event-stream",
        ...(init.lastId === undefined ? {} : { "last-event-id": String(init.lastId) }),
      };
      const call = toCall(path, init, headers, signal);
      const answer = await openCall(call);
      if (answer.status >= 400) throw await toProblemError(answer, await readBody(call, answer), opts.loadProtocol);
      try {
        yield* parseSse(watchIdle(answer.body, init.idleMs));
      } catch (caught) {
        if (signal.aborted) throw abortReason(signal);
        throw toUnreachable(caught, call, true);
      } finally {
        answer.body.destroy();
      }
    },
  };
}

/** Passes chunks on; breaks off after `idleMs` of waiting for one. A slow consumer does not count. */
async function* watchIdle(body: IncomingMessage, idleMs: number): AsyncGenerator<Uint8Array, void> {
  const arm = () => setTimeout(() => body.destroy(new Error(`silent for ${idleMs} ms`)), idleMs);
  let timer = arm();
  try {
    for await (const chunk of body) {
      clearTimeout(timer);
      yield chunk as Uint8Array;
      timer = arm();
    }
  } finally {
    clearTimeout(timer);
  }
}

async function toProblemError(
  answer: HttpAnswer,
  text: string,
  loadProtocol: () => Promise<Protocol>,
): Promise<AppError> {
  const { parseProblem } = await loadProtocol();
  return parseProblem(answer.status, parseJson(text));
}

function parseAnswer<T>(path: string, text: string, schema: { parse(value: unknown): T }): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError({
      code: "daemon.other_build",
      message: `laned's answer to ${path} is not what this lane understands`,
      hint: "when laned is of another build: `lane down && lane up`",
      cause,
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function either(first: AbortSignal, second: AbortSignal | undefined): AbortSignal {
  return second === undefined ? first : AbortSignal.any([first, second]);
}

function toQuery(query: CallInit["query"]): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) params.set(name, String(value));
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}
