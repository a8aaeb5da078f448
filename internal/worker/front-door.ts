import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { ReadyAnswer } from "../protocol/index.ts";
import { readyProofText } from "../protocol/link-terms.ts";
import { LINK_PROTOCOL } from "../protocol/versions.ts";
import { isHostAllowed } from "./host-header.ts";

/** The facts behind `GET /readyz`. */
export interface ReadyFacts {
  readonly generation: number;
  readonly build: string;
  readonly boot: string;
  readonly pid: number;
  readonly secret: string;
}

/** What the published port leads to. Before it is ready it answers 503 and takes no link. */
export interface FrontDoor {
  readonly server: Server;
  /** From now on readiness is answered with proof, and links are handed over. */
  open(facts: ReadyFacts, onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void): void;
  /** Not ready any more: the worker is stopping. */
  shut(): void;
}

/**
 * The HTTP server of the published port: `/healthz`, `/readyz` and the upgrade to `/v1/link`. Everything else is 404;
 * no pages, no redirects, no bodies are read. It is the first thing the worker makes, so it imports next to nothing.
 */
export function createFrontDoor(): FrontDoor {
  let facts: ReadyFacts | null = null;
  let ready = false;
  let onUpgrade: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | null = null;
  const server = createServer(
    { maxHeaderSize: 8 * 1024, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 65_000 },
    (request, response) => {
      if (!isHostAllowed(request.rawHeaders)) return answer(response, 421, "");
      const url = new URL(request.url ?? "/", "http://worker");
      if (request.method !== "GET") return answer(response, 404, "");
      if (url.pathname === "/healthz") return answer(response, 200, '{"ok":true}');
      if (url.pathname === "/readyz") return answerReadiness(response, url.searchParams.get("nonce"), facts, ready);
      answer(response, 404, "");
    },
  );
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const refusal = whyUpgradeRefused(request, onUpgrade !== null && ready);
    if (refusal !== null) return refuseUpgrade(socket, refusal);
    onUpgrade?.(request, socket, head);
  });
  return {
    server,
    open: (known, handler) => {
      facts = known;
      onUpgrade = handler;
      ready = true;
    },
    shut: () => {
      ready = false;
    },
  };
}

function answerReadiness(
  response: ServerResponse,
  nonce: string | null,
  facts: ReadyFacts | null,
  ready: boolean,
): void {
  if (nonce === null || !/^[0-9a-f]{32}$/.test(nonce)) {
    answer(response, 400, '{"ready":false}');
    return;
  }
  if (facts === null) {
    answer(response, 503, '{"ready":false}');
    return;
  }
  const { generation, build, boot, pid, secret } = facts;
  const mac = createHmac("sha256", secret).update(readyProofText({ nonce, generation, build })).digest("hex");
  const body: ReadyAnswer = { ready, generation, protocol: LINK_PROTOCOL, build, boot, pid, mac };
  answer(response, ready ? 200 : 503, JSON.stringify(body));
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}

function whyUpgradeRefused(request: IncomingMessage, ready: boolean): string | null {
  if (!isHostAllowed(request.rawHeaders)) return "421 Misdirected Request";
  // Only browsers send it, and no page has business here.
  if (request.headers.origin !== undefined) return "403 Forbidden";
  if (request.url !== "/v1/link") return "404 Not Found";
  return ready ? null : "503 Service Unavailable";
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
