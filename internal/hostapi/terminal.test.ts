import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { TERMINAL_PROTOCOL, TERMINAL_WINDOW_BYTES } from "../protocol/index.ts";
import { type Listener, listenTcp } from "./listen.ts";
import type { TerminalService } from "./ports.ts";
import { type Bench, makeBench, TOKEN } from "./testing.ts";

let bench: Bench;
let tcp: Listener;
let sockets: WebSocket[] = [];

/** What the next shell reads and writes; by default it says what it is told. */
let shell: PassThrough;
let calls: (readonly [string, ...unknown[]])[];

const terminals: TerminalService = {
  check: () => undefined,
  async open(laneId, { size }) {
    calls.push(["open", laneId, size]);
    return {
      stream: shell,
      resize: async (next) => void calls.push(["resize", next]),
      exitCode: async () => 0,
      end: async () => void calls.push(["end"]),
    };
  },
};

beforeEach(async () => {
  shell = new PassThrough();
  calls = [];
  bench = makeBench({ terminals });
  tcp = await listenTcp(bench.api, { host: "127.0.0.1", port: 0, configured: false });
});
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  sockets = [];
  bench.stop.abort();
  await tcp.close({ graceMs: 100 });
});

async function issue(): Promise<string> {
  const answer = await fetch(`${tcp.address}/v1/lanes/demo/terminal`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: '{"cols":80,"rows":24}',
  });
  return ((await answer.json()) as { ticket: string }).ticket;
}

/** Opens it; resolves with the socket, or with the status of the refusal. */
function open(protocols: readonly string[], origin: string | null = tcp.address, path = "/v1/terminal") {
  return new Promise<WebSocket | number>((resolve) => {
    const socket = new WebSocket(`${tcp.address.replace("http", "ws")}${path}`, [...protocols], {
      ...(origin === null ? {} : { origin }),
    });
    sockets.push(socket);
    socket.on("open", () => resolve(socket));
    socket.on("error", () => undefined);
    socket.on("unexpected-response", (_, answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
  });
}

async function connect(): Promise<WebSocket> {
  const socket = await open([TERMINAL_PROTOCOL, await issue()]);
  if (typeof socket === "number") throw new Error(`refused with ${socket}`);
  return socket;
}

const called = (name: string) => calls.filter(([one]) => one === name);

describe("a terminal's socket", () => {
  it("opens once for a ticket, for a page of ours", async () => {
    const ticket = await issue();
    for (const origin of [null, "null", "http://127.0.0.1:1", "http://evil.test"]) {
      expect(await open([TERMINAL_PROTOCOL, ticket], origin)).toBe(403);
    }
    expect(await open([TERMINAL_PROTOCOL, ticket], tcp.address, "/v1/events")).toBe(401);
    expect(await open([TERMINAL_PROTOCOL, ticket])).toBeInstanceOf(WebSocket);
    expect(await open([TERMINAL_PROTOCOL, ticket])).toBe(403);
    expect(await open([TERMINAL_PROTOCOL])).toBe(403);
    expect(await open([TERMINAL_PROTOCOL, await issue(), "more"])).toBe(403);
    expect(called("open")).toEqual([["open", "demo-1111111111", { cols: 80, rows: 24 }]]);
  });

  it("carries what is typed, and sizes; of those that come too fast the last one counts", async () => {
    const socket = await connect();
    let shown = "";
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) shown += data;
    });
    socket.send(Buffer.from("hello"));
    for (let cols = 100; cols < 150; cols++) socket.send(JSON.stringify({ type: "resize", cols, rows: 30 }));
    await vi.waitFor(() => expect(called("resize").at(-1)).toEqual(["resize", { cols: 149, rows: 30 }]));
    expect(called("resize").length).toBeLessThan(50);
    expect(shown).toBe("hello");
  });

  it("ends the shell when the page goes, and when the daemon stops", async () => {
    (await connect()).close();
    await vi.waitFor(() => expect(called("end")).toHaveLength(1));
    shell = new PassThrough();
    const socket = await connect();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    bench.stop.abort();
    expect(await closed).toBe(1001);
    expect(called("end")).toHaveLength(2);
  });

  it("tells how the shell has ended", async () => {
    const socket = await connect();
    const got: string[] = [];
    socket.on("message", (data: Buffer) => got.push(data.toString()));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    shell.end("bye");
    expect(await closed).toBe(1000);
    expect(got).toEqual(["bye", '{"type":"exit","exitCode":0}']);
  });

  it("holds no more than a window of output that nobody has drawn", async () => {
    const socket = await connect();
    let received = 0;
    socket.on("message", (data: Buffer) => {
      received += data.length;
    });
    let written = 0;
    const flood = () => {
      while (written < 8 * 1024 * 1024 && shell.write(Buffer.alloc(16_384))) written += 16_384;
    };
    shell.on("drain", flood);
    flood();
    await vi.waitFor(() => expect(received).toBeGreaterThan(TERMINAL_WINDOW_BYTES));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(received).toBeLessThan(TERMINAL_WINDOW_BYTES + 65_536);
    expect(written).toBeLessThan(TERMINAL_WINDOW_BYTES + 4 * 65_536);
    const before = received;
    socket.send(JSON.stringify({ type: "ack", bytes: before }));
    await vi.waitFor(() => expect(received).toBeGreaterThan(before + 100_000));
  });

  it("cuts a page off that does not wait until the shell has taken its input", async () => {
    // Nobody reads it: a PassThrough takes little.
    shell = new PassThrough({ highWaterMark: 1024 });
    const socket = await connect();
    const got: string[] = [];
    socket.on("message", (data: Buffer, isBinary) => isBinary || got.push(data.toString()));
    shell.pause();
    await vi.waitFor(() => expect(called("open")).toHaveLength(1));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    // What comes back counts as undrawn output, so that this stands still at the window.
    for (let i = 0; i < 100; i++) socket.send(Buffer.alloc(32_768));
    expect(await closed).toBe(1011);
    expect(got.at(-1)).toContain("more input than its program takes");
  });

  it.each(["{", '{"type":"resize","cols":0,"rows":1}', '{"type":"exit"}'])(
    "ends with a message that is none: %s",
    async (text) => {
      const socket = await connect();
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.send(text);
      expect(await closed).toBe(1011);
    },
  );
});
