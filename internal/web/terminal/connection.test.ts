import { beforeEach, expect, it, vi } from "vitest";
import { TERMINAL_INPUT_MAX_BYTES, TERMINAL_WINDOW_BYTES } from "../../protocol/terminal-terms.ts";
import { openConnection } from "./connection.ts";

const TICKET = { path: "/v1/terminal", protocol: "p", ticket: "t", expiresAt: "2026-01-01T00:00:00Z" };

/** As much of a WebSocket as the connection uses. */
class Socket {
  binaryType = "";
  readonly OPEN = 1;
  readyState: number = 1;
  readonly sent: (string | Uint8Array)[] = [];
  onopen = () => {};
  onmessage = (_: { data: string | ArrayBuffer }) => {};
  onclose = () => {};
  closed = false;
  send(data: string | Uint8Array) {
    this.sent.push(data);
  }
  close() {
    this.closed = true;
  }
}

let socket: Socket;
let opened: unknown[];
const ends: string[] = [];
const output: [Uint8Array, () => void][] = [];

beforeEach(() => {
  vi.stubGlobal("location", { href: "http://127.0.0.1:4711/lanes/x/terminal" });
  socket = new Socket();
  ends.length = 0;
  output.length = 0;
});

const open = () =>
  openConnection(
    TICKET,
    { onOutput: (bytes, drawn) => void output.push([bytes, drawn]), onEnd: (how) => void ends.push(how) },
    (...args) => {
      opened = args;
      return socket as unknown as WebSocket;
    },
  );
const bytesSent = () => socket.sent.reduce((sum, one) => sum + (typeof one === "string" ? 0 : one.length), 0);

it("opens with protocol and ticket, and acknowledges what is drawn", () => {
  open();
  expect(opened).toEqual(["ws://127.0.0.1:4711/v1/terminal", ["p", "t"]]);
  socket.onmessage({ data: new Uint8Array([1, 2, 3]).buffer });
  expect([output[0]?.[0].length, socket.sent]).toEqual([3, []]);
  output[0]?.[1]();
  expect(socket.sent).toEqual(['{"type":"ack","bytes":3}']);
});

it("sends what is pasted in pieces, and no faster than the shell takes them", () => {
  const connection = open();
  connection.type(new Uint8Array(1_000_000));
  expect(bytesSent()).toBeLessThanOrEqual(TERMINAL_WINDOW_BYTES / 2 + TERMINAL_INPUT_MAX_BYTES);
  const before = bytesSent();
  expect(Math.max(...socket.sent.map((one) => one.length))).toBe(TERMINAL_INPUT_MAX_BYTES);
  socket.onmessage({ data: JSON.stringify({ type: "taken", bytes: before }) });
  expect(bytesSent()).toBeGreaterThan(before);
  for (let i = 0; i < 10; i++) socket.onmessage({ data: JSON.stringify({ type: "taken", bytes: 200_000 }) });
  expect(bytesSent()).toBe(1_000_000);
});

it("keeps what is typed before it is open", () => {
  socket.readyState = 0;
  const connection = open();
  connection.type(new Uint8Array([65]));
  connection.resize({ cols: 1, rows: 1 });
  expect(socket.sent).toEqual([]);
  socket.readyState = 1;
  socket.onopen();
  expect(bytesSent()).toBe(1);
});

it.each([
  ['{"type":"exit","exitCode":0}', "The shell has ended."],
  ['{"type":"exit","exitCode":3}', "The shell has ended: 3."],
  ['{"type":"error","message":"lane x has no running container"}', "lane x has no running container"],
  ['{"type":"taken","bytes":1}', "The connection was cut. What ran in this terminal is ended."],
])("tells how it ended: %s", (notice, how) => {
  open().close();
  expect(socket.closed).toBe(true);
  socket.onmessage({ data: notice });
  socket.onclose();
  expect(ends).toEqual([how]);
});
