import { createHash } from "node:crypto";
import { AppError, hasCode } from "../base/index.ts";
import type { RequestKeys } from "./ports.ts";
import type { RawCall, Reply, Route } from "./route.ts";

/** As long as the key of a job. */
export const KEY_MAX = 128;
/** Answers of this API are far smaller; what is not is made anew. */
const BODY_MAX = 256 * 1024;

/**
 * Runs a request at most once per `Idempotency-Key`: whoever comes with a known key gets the first one's answer, and who
 * comes while the first one runs waits for it. Only success is kept: what failed may be tried again. Effect and answer
 * are one commit where the route says so (`together`). Elsewhere they are two: after a death between them the request is
 * carried out again, which for these routes finds what is there (`ensure`) or says that it is there (`lane.exists`).
 */
export type KeyedRuns = (route: Route, call: RawCall, run: Run) => Promise<Reply> | Reply;

type Run = () => Promise<Reply> | Reply;

/** Keeps answers in `keys`, and which requests are under way in memory. */
export function createKeyedRuns(keys: RequestKeys): KeyedRuns {
  const underWay = new Map<string, { readonly hash: string; readonly reply: Promise<Reply> }>();

  const once = async (route: Route, key: string, call: RawCall, run: Run): Promise<Reply> => {
    const scope = route.name;
    const [id, hash] = [JSON.stringify([scope, key]), hashOf(call)];
    for (let first = underWay.get(id); first !== undefined; first = underWay.get(id)) {
      if (first.hash !== hash) throw otherBody(key);
      const joined = await join(first.reply, call);
      if (joined !== null) return joined;
    }
    // From here to the entry in `underWay` nothing waits: no other one of this key comes in between.
    const kept = keys.find(scope, key);
    if (kept !== null && kept.hash !== hash) throw otherBody(key);
    if (kept !== null) return toReply(kept);
    const keep = (made: Reply) => {
      const answer = toKept(made, hash);
      if (answer !== null) keys.put(scope, key, answer);
    };
    if (route.keyed === "together") return keys.together(() => keepNow(run(), keep));
    const reply = runAndKeep(run, keep);
    underWay.set(id, { hash, reply });
    try {
      return await reply;
    } finally {
      underWay.delete(id);
    }
  };

  return (route, call, run) => {
    const takesKey = route.method === "POST" && route.keyed !== "own" && route.keyed !== "never";
    const key = takesKey ? call.header("idempotency-key") : null;
    if (key === null) return run();
    if (key === "" || key.length > KEY_MAX) {
      throw new AppError({ code: "request.invalid", message: `Idempotency-Key must have 1 to ${KEY_MAX} characters` });
    }
    return once(route, key, call, run);
  };
}

/** The first one's answer. Null when its client went away and took it along: that is no answer to who is still there. */
async function join(first: Promise<Reply>, call: RawCall): Promise<Reply | null> {
  try {
    return await first;
  } catch (caught) {
    if (hasCode(caught, "cancelled") && !call.signal.aborted) return null;
    throw caught;
  }
}

function keepNow(made: Promise<Reply> | Reply, keep: (made: Reply) => void): Reply {
  if (made instanceof Promise)
    throw new AppError({ code: "internal.bug", message: "the route does not answer at once" });
  keep(made);
  return made;
}

async function runAndKeep(run: Run, keep: (made: Reply) => void): Promise<Reply> {
  const made = await run();
  keep(made);
  return made;
}

/** Another target or another query is another request, as is another body. */
function hashOf({ id, query, body }: RawCall): string {
  return createHash("sha256")
    .update(JSON.stringify([id, sorted(query), sorted(body) ?? null]))
    .digest("hex");
}

/** The same members in another order are the same request. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, of]) => [name, sorted(of)]);
}

function toKept(reply: Reply, hash: string) {
  if (reply.kind === "empty") return { hash, status: 204, body: null };
  if (reply.kind !== "json" || reply.status >= 300) return null;
  const body = JSON.stringify(reply.json);
  return body.length > BODY_MAX ? null : { hash, status: reply.status, body };
}

function toReply({ status, body }: { readonly status: number; readonly body: string | null }): Reply {
  return body === null ? { kind: "empty" } : { kind: "json", status, json: JSON.parse(body) };
}

function otherBody(key: string): AppError {
  return new AppError({
    code: "request.key_conflict",
    message: `the idempotency key ${JSON.stringify(key)} belongs to another request`,
    hint: "use a new key for another request",
  });
}
