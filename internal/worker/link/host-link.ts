import type { WebSocket } from "ws";
import type { WorkerFrame } from "../../protocol/index.ts";
import type { SpooledLine } from "../spool/index.ts";

/** A proven connection of the host, as the rest of the worker uses it. Sending on a closed one does nothing. */
export interface HostLink {
  send(frame: WorkerFrame): void;
  /** Sends lines of the spool as they are, without parsing them again. `onFlushed`: they left this process. */
  sendEvents(job: string, attempt: number, lines: readonly SpooledLine[], onFlushed: () => void): void;
  bufferedBytes(): number;
  isOpen(): boolean;
  close(code: number, reason: string): void;
}

/** Wraps a socket that has proven itself. */
export function createHostLink(socket: WebSocket): HostLink {
  return {
    send: (frame) => socket.send(JSON.stringify(frame), () => {}),
    sendEvents: (job, attempt, lines, onFlushed) => {
      const head = JSON.stringify({ t: "events", job, attempt });
      const events = lines.map((line) => line.line).join(",");
      socket.send(`${head.slice(0, -1)},"events":[${events}]}`, onFlushed);
    },
    bufferedBytes: () => socket.bufferedAmount,
    isOpen: () => socket.readyState === socket.OPEN,
    close: (code, reason) => {
      socket.close(code, reason);
      // A host that does not answer the close must not keep the socket.
      setTimeout(() => socket.terminate(), CLOSE_MS).unref();
    },
  };
}

const CLOSE_MS = 1000;
