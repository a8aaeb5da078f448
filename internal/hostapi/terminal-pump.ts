import type { WebSocket } from "ws";
import { AppError, toError } from "../base/index.ts";
import {
  parseWith,
  TERMINAL_WINDOW_BYTES,
  type TerminalNotice,
  type TerminalSize,
  terminalCommandSchema,
} from "../protocol/index.ts";
import type { TerminalSession } from "./ports.ts";

/**
 * Carries bytes between a page and a shell until either ends, or the signal aborts. Neither side can make us hold more
 * than a window: the shell's output is read on as the page says that it has drawn some; the page is told what of its
 * input the shell has taken, and is cut off when it does not heed that. (Not to read on from the page would mean not to see
 * it go.)
 * @throws what the shell's stream breaks with; request.invalid, request.too_large for a page that breaks the rules
 */
export function pumpTerminal(ws: WebSocket, session: TerminalSession, signal: AbortSignal): Promise<void> {
  const { stream } = session;
  const resize = resizer(session, signal);
  let undrawn = 0;
  return new Promise<void>((resolve, reject) => {
    const finish = (error?: Error) => {
      stream.off("data", toPage);
      ws.off("message", toShell);
      stream.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const toPage = (chunk: Buffer) => {
      undrawn += chunk.length;
      if (undrawn > TERMINAL_WINDOW_BYTES) stream.pause();
      ws.send(chunk, { binary: true });
    };
    const toShell = (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        stream.write(data, (error) => {
          if (!error) notify(ws, { type: "taken", bytes: data.length });
        });
        if (stream.writableLength > 2 * TERMINAL_WINDOW_BYTES) finish(flooded());
        return;
      }
      try {
        const command = parseWith(terminalCommandSchema, JSON.parse(data.toString()), "the terminal's message");
        if (command.type === "resize") return resize(command);
        undrawn = Math.max(0, undrawn - command.bytes);
        if (undrawn <= TERMINAL_WINDOW_BYTES / 2) stream.resume();
      } catch (caught) {
        finish(toError(caught));
      }
    };
    if (signal.aborted) return finish();
    signal.addEventListener("abort", () => finish(), { once: true });
    stream.on("data", toPage);
    stream.once("end", () => finish());
    stream.once("close", () => finish());
    stream.once("error", finish);
    ws.on("message", toShell);
    ws.resume();
  });
}

/** Sends a text frame, while there is somebody to get it. */
export function notify(ws: WebSocket, notice: TerminalNotice): void {
  if (ws.readyState === ws.OPEN) ws.send(JSON.stringify(notice));
}

function flooded(): AppError {
  return new AppError({
    code: "request.too_large",
    message: "the terminal was given more input than its program takes",
    hint: "send large inputs by a file in the lane's worktree",
  });
}

/** Passes sizes on one at a time; of those that come meanwhile only the last counts. */
function resizer(session: TerminalSession, signal: AbortSignal): (size: TerminalSize) => void {
  let next: TerminalSize | null = null;
  let isBusy = false;
  const go = async () => {
    isBusy = true;
    for (let size = next; size !== null; size = next) {
      next = null;
      // A shell that has just ended has no size; the end itself is told by its stream.
      await session.resize({ cols: size.cols, rows: size.rows }, { signal }).catch(() => undefined);
    }
    isBusy = false;
  };
  return (size) => {
    next = size;
    if (!isBusy) void go();
  };
}
