import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import type { ForcedAnswers } from "./forced-answers.ts";
import { decide, type Manner } from "./script.ts";
import { sendStream, sendWhole } from "./send-answer.ts";
import type { Failure, Question, Reply, Vendor, VendorApi } from "./vendor.ts";

/** A request, as far as it is understood before its body is read. */
export interface Arrival {
  readonly vendor: Vendor;
  readonly api: VendorApi;
  readonly path: string;
  /** Digest of the credential; null when none came along. */
  readonly account: string | null;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Told the body before it is answered. */
  readonly onBody: (body: string) => void;
}

/** Answers one request, or leaves it hanging. Rejects when the client goes away or the body is not the vendor's. */
export async function answerRequest(arrival: Arrival, forced: ForcedAnswers): Promise<void> {
  const { vendor, api, path, account, request, response } = arrival;
  const refuse = (failure: Failure) => sendWhole(response, api.fail(failure, Date.now()));
  const asks = request.method === "POST";
  const raw = asks ? await text(request) : "null";
  arrival.onBody(raw);
  const body: unknown = JSON.parse(raw);
  if (asks && account === null) return refuse({ kind: "status", status: 401 });
  const failure = forced.find(vendor, account);
  if (failure !== null) return refuse(failure);
  const aside = api.aside(path, body);
  if (aside !== null) return sendWhole(response, aside);
  const question = api.read(path, body);
  const prompt = question.turns.findLast((turn) => turn.by === "user")?.text;
  const decision = decide(question, (step, times) =>
    forced.spend(JSON.stringify([vendor, account, prompt, step]), times),
  );
  switch (decision.kind) {
    case "hang":
      return;
    case "refuse":
      return refuse(decision.failure);
    case "limit": {
      const untilMs = Date.now() + decision.forMs;
      const limit: Failure = { kind: "limit", resetsAtMs: untilMs };
      forced.add({ vendor, failure: limit, untilMs }, account);
      return refuse(limit);
    }
    case "reply":
      return sendReply(arrival, question, decision.reply, decision.manner);
  }
}

async function sendReply(arrival: Arrival, question: Question, reply: Reply, manner: Manner): Promise<void> {
  const { api, response } = arrival;
  if (!question.stream) return sendWhole(response, { status: 200, body: api.whole(question, reply) });
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  await sendStream(response, api.stream(question, reply), manner, { signal: gone.signal });
}
