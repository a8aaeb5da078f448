import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { HostFrame } from "../../protocol/index.ts";
import { LINK_CLOSE, LINK_FRAME_MAX_BYTES, LINK_HANDSHAKE_MS } from "../../protocol/link-terms.ts";
import type { AttemptLog } from "../spool/index.ts";
import { type HandshakeState, stepHandshake, type WorkerFacts } from "./handshake.ts";
import { createHostLink, type HostLink } from "./host-link.ts";
import { type LinkSession, type SessionDeps, startSession } from "./link-session.ts";
import { parseHandshake } from "./parse-handshake.ts";

/** Sockets that have not proven themselves; agents in the lane can open them too. */
const UNPROVEN_SOCKETS = 8;

/** Takes upgraded connections and keeps at most one proven link: the newest. */
export interface LinkServer {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** More of this attempt may be sent. */
  notify(attempt: AttemptLog): void;
  /** The host is connected. */
  isLinked(): boolean;
  /** Says good-bye and closes. Resolves when the sockets are gone, at the latest after `ms`. */
  close(ms: number): Promise<void>;
}

/** What the server proves itself with, and works on. */
export interface LinkServerDeps extends SessionDeps {
  readonly facts: WorkerFacts;
  readonly secret: string;
}

/** A server for `/v1/link`. This module loads ws: it is imported only once the worker is ready; zod comes after the proof. */
export function createLinkServer(deps: LinkServerDeps): LinkServer {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: LINK_FRAME_MAX_BYTES,
  });
  let unproven = 0;
  let current: { readonly link: HostLink; readonly session: LinkSession } | null = null;

  const withParser = createParserUse();
  const prove = (socket: WebSocket): LinkSession => {
    const link = createHostLink(socket);
    current?.session.end();
    current?.link.close(LINK_CLOSE.replaced, "a newer link took over");
    const session = startSession(link, deps);
    // Behind the welcome, which is on its way now.
    withParser(() => {});
    const mine = { link, session };
    current = mine;
    deps.log.info("link opened");
    socket.once("close", (code) => {
      session.end();
      if (current === mine) current = null;
      deps.log.info("link closed", { code });
    });
    return session;
  };
  const accept = (socket: WebSocket) => {
    socket.on("error", (err) => deps.log.warn("socket failed", { err }));
    if (unproven >= UNPROVEN_SOCKETS) return socket.close(LINK_CLOSE.busy, "too many sockets wait for their proof");
    unproven++;
    let state: HandshakeState = { awaits: "hello" };
    let session: LinkSession | null = null;
    const cancelDeadline = deps.clock.timer(LINK_HANDSHAKE_MS, () => {
      socket.close(LINK_CLOSE.handshakeTimeout, "no proof in time");
    });
    const leaveUnproven = once(() => {
      cancelDeadline();
      unproven--;
    });
    socket.once("close", leaveUnproven);
    const read = <F>(parse: (text: string) => F | null, data: RawData, isBinary: boolean): F | null => {
      const frame = isBinary ? null : parse(data.toString());
      if (frame === null) socket.close(LINK_CLOSE.protocol, "not a frame of the host");
      return frame;
    };
    socket.on("message", (data, isBinary) => {
      if (socket.readyState !== socket.OPEN) return;
      if (session !== null) {
        const proven = session;
        return withParser((parse) => {
          const frame = read(parse, data, isBinary);
          if (frame !== null) proven.onFrame(frame);
        });
      }
      const frame = read(parseHandshake, data, isBinary);
      if (frame === null) return;
      const step = stepHandshake(state, frame, deps);
      if (step.kind === "close") return socket.close(step.code, step.reason);
      if (step.kind === "proven") {
        leaveUnproven();
        session = prove(socket);
        return;
      }
      state = step.state;
      socket.send(JSON.stringify(step.frame), () => {});
    });
  };

  return {
    upgrade: (request, socket, head) => server.handleUpgrade(request, socket, head, accept),
    notify: (attempt) => current?.session.notify(attempt),
    isLinked: () => current !== null,
    close: async (ms) => {
      for (const socket of server.clients) socket.close(LINK_CLOSE.stopping, "the worker is stopping");
      const deadline = deps.clock.monotonicMs() + ms;
      while (server.clients.size > 0 && deps.clock.monotonicMs() < deadline) await deps.clock.sleep(10, {});
      for (const socket of server.clients) socket.terminate();
    },
  };
}

type ParseHostFrame = (text: string) => HostFrame | null;

/** Calls back with the parser: at once when it is loaded, else in the order of the calls. */
function createParserUse(): (use: (parse: ParseHostFrame) => void) => void {
  let parse: ParseHostFrame | null = null;
  let loading: Promise<ParseHostFrame> | null = null;
  const load = async () => {
    const { parseHostFrame } = await import("./parse-host-frame.ts");
    parse = parseHostFrame;
    return parseHostFrame;
  };
  return (use) => {
    if (parse !== null) return use(parse);
    loading ??= load();
    void loading.then(use);
  };
}

function once(fn: () => void): () => void {
  let called = false;
  return () => {
    if (called) return;
    called = true;
    fn();
  };
}
