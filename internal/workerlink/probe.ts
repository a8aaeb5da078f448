import { Agent, get, type IncomingMessage } from "node:http";
import { AppError, abortReason, randomHex, throwIfAborted, toError } from "../base/index.ts";
import { LINK_PROTOCOL, type ReadyAnswer, readyAnswerSchema, readyProofText } from "../protocol/index.ts";
import { isSameMac, macOf } from "./mac.ts";

/** Larger answers are not a worker's. */
const BODY_BYTES = 64 * 1024;
const PROBE_MS = 2000;

/** Which worker is expected behind an endpoint. */
export interface ProbeTarget {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly secret: string;
  readonly generation: number;
  /** Content hash of the binaries; null when any will do. */
  readonly build: string | null;
}

/** What one probe found. */
export type ProbeResult =
  /** The worker of this generation is ready and has proven it. */
  | { readonly kind: "proven"; readonly pid: number; readonly boot: string }
  /** Something answers that is not ready; unproven, it may be the worker booting. */
  | { readonly kind: "not_ready" }
  /** An answer that the worker cannot have given. */
  | { readonly kind: "impostor"; readonly reason: string }
  /** Refused, broken, or silent for 2 s. */
  | { readonly kind: "no_answer"; readonly error: AppError };

/** Asks workers whether they are ready. */
export interface ReadyProber {
  /** One `GET /readyz`, at most 2 s. Rejects only when the caller's signal aborts. */
  probeReady(target: ProbeTarget, opts: { readonly signal?: AbortSignal | undefined }): Promise<ProbeResult>;
  /** Drops the kept connections. */
  close(): void;
}

/** A prober with connections of its own, kept alive: plain `node:http` answers fastest in a tight loop. */
export function createReadyProber(): ReadyProber {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64, scheduling: "lifo" });
  return {
    probeReady: async (target, { signal }) => {
      throwIfAborted(signal);
      const nonce = randomHex(16);
      try {
        const answer = await ask(agent, `${target.endpoint}/readyz?nonce=${nonce}`, signal);
        return judgeAnswer(answer, nonce, target);
      } catch (caught) {
        if (signal?.aborted) throw abortReason(signal);
        return { kind: "no_answer", error: toProbeError(caught, target) };
      }
    },
    close: () => agent.destroy(),
  };
}

/** An HTTP answer, read completely. */
export interface RawAnswer {
  readonly status: number;
  /** Null: larger than 64 KiB. */
  readonly body: string | null;
}

/** Decides what an answer proves. Pure. */
export function judgeAnswer(answer: RawAnswer, nonce: string, target: Omit<ProbeTarget, "endpoint">): ProbeResult {
  if (answer.status === 503) return { kind: "not_ready" };
  if (answer.status !== 200) return impostor(`status ${answer.status}`);
  const ready = parseReadyAnswer(answer.body);
  if (ready === null) return impostor("not a readiness answer");
  const { generation, build } = ready;
  if (!isSameMac(ready.mac, macOf(target.secret, readyProofText({ nonce, generation, build })))) {
    return impostor("the proof does not fit this lane's secret");
  }
  if (generation !== target.generation) return impostor(`generation ${generation} instead of ${target.generation}`);
  if (target.build !== null && build !== target.build) return impostor(`another build: ${build.slice(0, 12)}`);
  if (ready.protocol !== LINK_PROTOCOL) return impostor(`link version ${ready.protocol} instead of ${LINK_PROTOCOL}`);
  return ready.ready ? { kind: "proven", pid: ready.pid, boot: ready.boot } : { kind: "not_ready" };
}

function impostor(reason: string): ProbeResult {
  return { kind: "impostor", reason };
}

function parseReadyAnswer(body: string | null): ReadyAnswer | null {
  if (body === null) return null;
  try {
    const parsed = readyAnswerSchema.safeParse(JSON.parse(body));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Redirects are answers like any other: `node:http` follows none. */
function ask(agent: Agent, url: string, signal: AbortSignal | undefined, isRetry = false): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: isRetry ? false : agent, headers: { accept: "application/json" } });
    const settle =
      <T>(done: (value: T) => void) =>
      (value: T) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        done(value);
      };
    const ok = settle(resolve);
    const fail = settle(reject);
    const onAbort = () => request.destroy(abortReason(signal));
    const timer = setTimeout(() => request.destroy(new ProbeTimeout()), PROBE_MS);
    signal?.addEventListener("abort", onAbort, { once: true });
    request.once("response", (response) => readAnswer(response).then(ok, fail));
    request.once("error", (error) => {
      // A kept connection may have died with an earlier container: that says nothing about this one.
      const stale = request.reusedSocket && !isRetry && !(error instanceof ProbeTimeout) && !signal?.aborted;
      if (stale) settle(() => ask(agent, url, signal, true).then(resolve, reject))(null);
      else fail(error);
    });
  });
}

class ProbeTimeout extends Error {}

async function readAnswer(response: IncomingMessage): Promise<RawAnswer> {
  const status = response.statusCode ?? 0;
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response) {
    bytes += (part as Buffer).length;
    // Leaving the loop destroys the connection.
    if (bytes > BODY_BYTES) return { status, body: null };
    parts.push(part as Buffer);
  }
  return { status, body: Buffer.concat(parts).toString("utf8") };
}

function toProbeError(caught: unknown, { endpoint }: ProbeTarget): AppError {
  if (caught instanceof ProbeTimeout) {
    const message = `the worker at ${endpoint} did not answer within ${PROBE_MS} ms`;
    return new AppError({ code: "worker.probe_timeout", message, retry: "retryable" });
  }
  const error = toError(caught);
  const message = `the worker at ${endpoint} does not answer: ${error.message}`;
  return new AppError({ code: "worker.unreachable", message, retry: "retryable", cause: error });
}
