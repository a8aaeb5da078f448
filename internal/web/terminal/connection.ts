import type { ApiTerminalTicket, TerminalNotice, TerminalSize } from "../../protocol/index.ts";
import { TERMINAL_INPUT_MAX_BYTES, TERMINAL_WINDOW_BYTES } from "../../protocol/terminal-terms.ts";

/** A shell in a lane, as the page speaks with it. */
export interface TerminalConnection {
  /** What was typed or pasted. Sent as fast as the shell takes it. */
  type(bytes: Uint8Array): void;
  resize(size: TerminalSize): void;
  /** Ends the shell. */
  close(): void;
}

/** What a connection tells. */
export interface TerminalListener {
  /** `drawn` is to be called when the bytes are on the screen: more comes only then. */
  onOutput(bytes: Uint8Array, drawn: () => void): void;
  /** Once, at the end; in words for a person. */
  onEnd(how: string): void;
}

/** Opens the connection that a ticket stands for. */
export function openConnection(
  ticket: ApiTerminalTicket,
  listener: TerminalListener,
  open: (url: string, protocols: string[]) => WebSocket = (url, protocols) => new WebSocket(url, protocols),
): TerminalConnection {
  const socket = open(new URL(ticket.path, location.href).href.replace(/^http/, "ws"), [
    ticket.protocol,
    ticket.ticket,
  ]);
  socket.binaryType = "arraybuffer";
  let waiting: readonly Uint8Array[] = [];
  let underWay = 0;
  let last: TerminalNotice | null = null;

  const send = (text: object) => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(text));
  };
  const pump = () => {
    while (socket.readyState === socket.OPEN && underWay < TERMINAL_WINDOW_BYTES / 2) {
      const [piece, ...rest] = waiting;
      if (piece === undefined) return;
      waiting = rest;
      underWay += piece.length;
      socket.send(piece as Uint8Array<ArrayBuffer>);
    }
  };
  const onNotice = (notice: TerminalNotice) => {
    last = notice;
    if (notice.type !== "taken") return;
    underWay -= notice.bytes;
    pump();
  };
  socket.onopen = pump;
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data === "string") return onNotice(JSON.parse(data) as TerminalNotice);
    const bytes = new Uint8Array(data);
    listener.onOutput(bytes, () => send({ type: "ack", bytes: bytes.length }));
  };
  socket.onclose = () => listener.onEnd(describeEnd(last));
  return {
    type(bytes) {
      for (let at = 0; at < bytes.length; at += TERMINAL_INPUT_MAX_BYTES) {
        waiting = [...waiting, bytes.slice(at, at + TERMINAL_INPUT_MAX_BYTES)];
      }
      pump();
    },
    resize: ({ cols, rows }) => send({ type: "resize", cols, rows }),
    close: () => socket.close(),
  };
}

function describeEnd(last: TerminalNotice | null): string {
  if (last?.type === "error") return last.message;
  if (last?.type !== "exit") return "The connection was cut. What ran in this terminal is ended.";
  return last.exitCode === null || last.exitCode === 0
    ? "The shell has ended."
    : `The shell has ended: ${last.exitCode}.`;
}
