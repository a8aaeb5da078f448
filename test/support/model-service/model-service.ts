import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerRequest } from "./answer-request.ts";
import { anthropic } from "./anthropic.ts";
import { newForcedAnswers, type Rule } from "./forced-answers.ts";
import { gemini } from "./gemini.ts";
import { openai } from "./openai.ts";
import { isNearby } from "./peers.ts";
import { sendWhole } from "./send-answer.ts";
import { VENDORS, type Vendor, type VendorApi, vendorId } from "./vendor.ts";

const APIS: Readonly<Record<Vendor, VendorApi>> = { anthropic, openai, gemini };

/** What came in, in order of arrival. No credential, no prompt. */
export interface SeenRequest {
  /** Null for a path that belongs to nobody. */
  readonly vendor: Vendor | null;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** {@link ModelService.digestOf} of what was sent; null when nothing was. */
  readonly credential: string | null;
  readonly atMs: number;
  /** What was answered, from the answer's first byte on; null before, and for ever with `@hang`. */
  readonly status: number | null;
  /** Those of {@link ModelService.lookFor} that are in its body. */
  readonly found: readonly string[];
}

/** A stand-in for the three vendors' model services. What prompts can ask of it: `Step` and `Manner` in script.ts. */
export interface ModelService extends AsyncDisposable {
  /** The base URL to give to the vendor's CLI; `host` is how its machine calls this one. */
  url(vendor: Vendor, host?: string): string;
  readonly requests: readonly SeenRequest[];
  /** Looks for this text, which JSON has nothing to escape in, in the body of each request from now on. */
  lookFor(text: string): void;
  /** A digest of a credential, the same for the same one within this service. */
  digestOf(credential: string): string;
  /** Later rules win. Returns what takes the rule away. */
  setRule(rule: Rule): () => void;
}

/**
 * Starts the service on a port of its own. `host` is the address to listen on: loopback, or 0.0.0.0 for lanes, which
 * reach it as `host.containers.internal`; then only loopback and this host's Podman bridges are let in.
 */
export async function startModelService(opts: { readonly host: string }): Promise<ModelService> {
  const salt = randomBytes(16);
  const digestOf = (credential: string) => createHmac("sha256", salt).update(credential).digest("hex").slice(0, 16);
  const requests: SeenRequest[] = [];
  const forced = newForcedAnswers();
  const wanted = new Set<string>();

  const server = createServer((request, response) => {
    const { pathname: path } = new URL(request.url ?? "/", "http://stand-in");
    const vendor = VENDORS.find((name) => APIS[name].owns(path)) ?? null;
    const credential = vendor === null ? null : APIS[vendor].credential(request.headers);
    const account = credential === null ? null : digestOf(credential);
    const found: string[] = [];
    requests.push(seenRequest({ vendor, method: request.method ?? "", path, credential: account, found }, response));
    const onBody = (body: string) => found.push(...[...wanted].filter((text) => body.includes(text)));
    for (const name of ["request-id", "x-request-id"]) response.setHeader(name, vendorId("req"));
    if (vendor === null) return sendWhole(response, { status: 404, body: { error: { message: "not found" } } });
    const api = APIS[vendor];
    answerRequest({ vendor, api, path, account, request, response, onBody }, forced).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) return;
      const message = `the stand-in does not understand: ${String(error)}`;
      sendWhole(response, api.fail({ kind: "script", message }, Date.now()));
    });
  });
  server.on("connection", (socket) => {
    if (!isNearby(socket.remoteAddress ?? "")) socket.destroy();
  });
  // Codex asks for a websocket first where it is not told that there is none; it falls back on this answer alone.
  server.on("upgrade", (_request: IncomingMessage, socket) => {
    socket.end("HTTP/1.1 426 Upgrade Required\r\nconnection: close\r\n\r\n");
  });
  server.listen(0, opts.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    url: (vendor, host = opts.host) => `http://${host}:${port}${vendor === "openai" ? "/v1" : ""}`,
    requests,
    digestOf,
    lookFor: (text) => void wanted.add(text),
    setRule({ credential, ...rule }) {
      return forced.add(rule, credential === undefined ? null : digestOf(credential));
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function seenRequest(facts: Omit<SeenRequest, "atMs" | "status">, response: ServerResponse): SeenRequest {
  return {
    ...facts,
    atMs: Date.now(),
    get status() {
      return response.headersSent ? response.statusCode : null;
    },
  };
}
