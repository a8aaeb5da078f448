import { WebSocket } from "ws";
import {
  type HostFrame,
  LINK_BACKPRESSURE_BYTES,
  LINK_CLOSE,
  LINK_FRAME_MAX_BYTES,
  LINK_HANDSHAKE_MS,
  type WorkerFrame,
  workerFrameSchema,
} from "../protocol/index.ts";

/** Frames that may wait before somebody takes them: more is a flood. */
const UNTAKEN_FRAMES = 256;

/** How a socket ended. */
export type SocketEnd =
  /** The connection is gone, or never came about. */
  | { readonly kind: "closed"; readonly code: number; readonly reason: string; readonly error: Error | null }
  /** We cut it at a frame that does not fit. */
  | { readonly kind: "misfit"; readonly reason: string };

/** What {@link FrameSocket.next} rejects with. */
export class SocketEnded extends Error {
  readonly end: SocketEnd;
  constructor(end: SocketEnd) {
    super(end.reason);
    this.end = end;
  }
}

/** Takes the frames of an open link. */
export interface FrameReceiver {
  frame(frame: WorkerFrame): void;
  /** Once; no frame comes afterwards. */
  ended(end: SocketEnd): void;
}

/** A WebSocket that carries frames. One side at a time takes them: `next` while opening, then a receiver. */
export interface FrameSocket {
  /** Resolves when connected. Rejects with {@link SocketEnded}. */
  readonly opened: Promise<void>;
  /** The next frame. Rejects with {@link SocketEnded}. One call at a time. */
  next(): Promise<WorkerFrame>;
  /** From now on all frames go there, first those that wait. */
  deliverTo(receiver: FrameReceiver): void;
  /** Sends one frame; resolves at once, or when the socket has drained below the limit. Rejects when it is gone. */
  send(frame: HostFrame): Promise<void>;
  /** Says good-bye, and does not wait for an answer longer than a second. */
  close(code: number, reason: string): void;
  /** Cuts the connection, as for a frame that does not fit. */
  cut(reason: string): void;
  /** Cuts the connection without a word. */
  terminate(): void;
}

const CLOSE_MS = 1000;

/** Connects to a worker. Every frame is parsed by zod; the first that does not fit ends the socket. */
export function openFrameSocket(endpoint: string): FrameSocket {
  const socket = new WebSocket(`${endpoint.replace(/^http/, "ws")}/v1/link`, {
    perMessageDeflate: false,
    maxPayload: LINK_FRAME_MAX_BYTES,
    handshakeTimeout: LINK_HANDSHAKE_MS,
    followRedirects: false,
  });
  const untaken: WorkerFrame[] = [];
  let receiver: FrameReceiver | null = null;
  let taker: { readonly resolve: (frame: WorkerFrame) => void; readonly reject: (error: Error) => void } | null = null;
  let end: SocketEnd | null = null;
  let failure: Error | null = null;

  const finish = (how: SocketEnd) => {
    if (end !== null) return;
    end = how;
    taker?.reject(new SocketEnded(how));
    taker = null;
    receiver?.ended(how);
  };
  const cut = (reason: string) => {
    if (end !== null) return;
    socket.close(LINK_CLOSE.protocol, "frame refused");
    socket.terminate();
    finish({ kind: "misfit", reason });
  };
  const take = (frame: WorkerFrame) => {
    if (receiver !== null) return receiver.frame(frame);
    if (taker === null) {
      untaken.push(frame);
      if (untaken.length > UNTAKEN_FRAMES) cut("a flood of frames while the link is being opened");
      return;
    }
    const { resolve } = taker;
    taker = null;
    resolve(frame);
  };
  const opened = new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("close", (code, reason) => {
      finish(toSocketEnd(code, reason.toString("utf8"), failure));
      reject(new SocketEnded(end ?? { kind: "closed", code, reason: "", error: failure }));
    });
  });
  // Whoever waits for frames learns of the end; nobody has to wait for the opening.
  opened.catch(() => {});
  socket.on("error", (error) => {
    failure ??= error;
  });
  socket.on("message", (data, isBinary) => {
    // Frames that were read before the socket was given up are not used any more.
    if (end !== null || socket.readyState !== WebSocket.OPEN) return;
    const parsed = isBinary ? "a binary frame" : parseWorkerFrame(data.toString());
    if (typeof parsed === "string") cut(parsed);
    else take(parsed);
  });
  return {
    opened,
    next: () =>
      new Promise((resolve, reject) => {
        const first = untaken.shift();
        if (first !== undefined) resolve(first);
        else if (end !== null) reject(new SocketEnded(end));
        else taker = { resolve, reject };
      }),
    deliverTo: (to) => {
      receiver = to;
      for (const frame of untaken.splice(0)) to.frame(frame);
      if (end !== null) to.ended(end);
    },
    send: (frame) =>
      new Promise((resolve, reject) => {
        socket.send(JSON.stringify(frame), (error) => (error ? reject(error) : resolve()));
        // Below the limit nobody has to wait for the network.
        if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < LINK_BACKPRESSURE_BYTES) resolve();
      }),
    close: (code, reason) => {
      socket.close(code, reason);
      setTimeout(() => socket.terminate(), CLOSE_MS).unref();
    },
    cut,
    terminate: () => socket.terminate(),
  };
}

/** What ws itself refuses (too long, not UTF-8, broken framing) is as wrong as a frame that does not parse. */
function toSocketEnd(code: number, reason: string, error: Error | null): SocketEnd {
  const isMisfit = /^WS_ERR_/.test((error as NodeJS.ErrnoException | null)?.code ?? "");
  return isMisfit ? { kind: "misfit", reason: error?.message ?? "" } : { kind: "closed", code, reason, error };
}

/** A frame, or why it is none. */
export function parseWorkerFrame(text: string): WorkerFrame | string {
  try {
    const parsed = workerFrameSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    return `${issue?.path.join(".") || "frame"}: ${issue?.message ?? "invalid"}`;
  } catch {
    return "not JSON";
  }
}
