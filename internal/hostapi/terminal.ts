import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { AppError, type Clock, randomHex, toAppError } from "../base/index.ts";
import { TERMINAL_INPUT_MAX_BYTES, TERMINAL_PROTOCOL, type TerminalSize } from "../protocol/index.ts";
import { oneTimeSecrets } from "./one-time.ts";
import type { ApiLog, TerminalService } from "./ports.ts";
import { notify, pumpTerminal } from "./terminal-pump.ts";

/** Shells in lanes for pages: a ticket by the API, then a WebSocket. */
export interface TerminalDesk {
  /** A ticket for one shell. `expiresAtMs` is wall time. @throws lane.not_ready */
  issue(laneId: string, size: TerminalSize): { readonly ticket: string; readonly expiresAtMs: number };
  /** Takes over a connection that asks for an upgrade, once its Host and Origin have been judged. */
  upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void;
}

interface Grant {
  readonly laneId: string;
  readonly size: TerminalSize;
}

const TICKET_LIFE_MS = 30_000;
const TICKETS_MAX = 32;
/** Open at once; each has a shell and a connection to the engine. */
const TERMINALS_MAX = 16;
const FAREWELL_MS = 1000;
/** Close codes of our own: the shell has ended; it could not be started, or was cut off. */
const CLOSE_ENDED = 1000;
const CLOSE_GOING = 1001;
const CLOSE_FAILED = 1011;

/** @param deps `stopping`: every terminal ends when it aborts */
export function createTerminalDesk(deps: {
  readonly terminals: TerminalService;
  readonly clock: Clock;
  readonly log: ApiLog;
  readonly stopping: AbortSignal;
}): TerminalDesk {
  const { terminals, clock, log, stopping } = deps;
  const tickets = oneTimeSecrets<Grant>({ clock, lifeMs: TICKET_LIFE_MS, max: TICKETS_MAX });
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: TERMINAL_INPUT_MAX_BYTES * 2,
    handleProtocols: () => TERMINAL_PROTOCOL,
  });
  let open = 0;

  async function serve(ws: WebSocket, grant: Grant): Promise<void> {
    const gone = new AbortController();
    ws.once("close", () =>
      gone.abort(new AppError({ code: "cancelled", message: "the page has closed its terminal" })),
    );
    const signal = AbortSignal.any([gone.signal, stopping]);
    const session = await terminals.open(grant.laneId, { size: grant.size, signal });
    try {
      await pumpTerminal(ws, session, signal);
      if (!signal.aborted) notify(ws, { type: "exit", exitCode: await session.exitCode({ signal }) });
      hangUp(ws, stopping.aborted ? CLOSE_GOING : CLOSE_ENDED);
    } catch (caught) {
      fail(ws, grant, caught);
    } finally {
      await session.end();
    }
  }

  function fail(ws: WebSocket, { laneId }: Grant, caught: unknown): void {
    const err = toAppError(caught);
    if (err.code !== "cancelled") log.warn({ op: "terminal", lane: laneId, err }, "terminal failed");
    notify(ws, { type: "error", message: err.message });
    hangUp(ws, CLOSE_FAILED);
  }

  /** A page that does not answer the farewell is not waited for. */
  function hangUp(ws: WebSocket, code: number): void {
    const cancel = clock.timer(FAREWELL_MS, () => ws.terminate());
    ws.once("close", cancel);
    ws.close(code);
  }

  return {
    issue(laneId, size) {
      terminals.check(laneId);
      const ticket = randomHex(16);
      tickets.put(ticket, { laneId, size });
      return { ticket, expiresAtMs: clock.nowMs() + TICKET_LIFE_MS };
    },
    upgrade(incoming, socket, head) {
      const grant = tickets.take(ticketOf(incoming) ?? "");
      if (grant === undefined || stopping.aborted) {
        log.debug({ op: "upgrade /v1/terminal", code: "request.forbidden" }, "request refused");
        return refuseUpgrade(socket, 403);
      }
      if (open >= TERMINALS_MAX) return refuseUpgrade(socket, 503);
      open += 1;
      // Before the upgrade is done, so that a connection that breaks meanwhile counts down as well.
      socket.once("close", () => {
        open -= 1;
      });
      sockets.handleUpgrade(incoming, socket, head, (ws) => {
        // What is typed before there is a shell waits.
        ws.pause();
        ws.on("error", (err) => log.debug({ op: "terminal", lane: grant.laneId, err }, "terminal's connection failed"));
        serve(ws, grant).catch((caught: unknown) => fail(ws, grant, caught));
      });
    },
  };
}

/** Answers a request for an upgrade with a bare status, and closes. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  socket.on("error", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** The second of exactly two subprotocols. */
function ticketOf(incoming: IncomingMessage): string | null {
  const offered = (incoming.headers["sec-websocket-protocol"] ?? "").split(",").map((word) => word.trim());
  const [protocol, ticket] = offered;
  return offered.length === 2 && protocol === TERMINAL_PROTOCOL && ticket ? ticket : null;
}
