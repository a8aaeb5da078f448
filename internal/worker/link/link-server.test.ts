import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import {
  bundleWorker,
  startWorkerProcess,
  TEST_WORKER,
  type WorkerBundle,
  type WorkerProcess,
} from "../../../test/support/worker-process.ts";
import { hostProofText, LINK_CLOSE, LINK_PROTOCOL } from "../../protocol/index.ts";
import { macOf } from "./handshake.ts";

const NONCE = "11".repeat(16);
const hello = { t: "hello", protocol: LINK_PROTOCOL, generation: 1, nonce: NONCE };
let bundle: WorkerBundle;
let worker: WorkerProcess;

beforeAll(async () => {
  bundle = await bundleWorker();
  worker = await startWorkerProcess({ bundle: bundle.path });
});
afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  bundle[Symbol.dispose]();
});

/** A host that has just connected. */
async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(`${worker.endpoint.replace("http", "ws")}/v1/link`, { perMessageDeflate: false });
  await once(socket, "open");
  return socket;
}

/** What the worker answers to `frames`: the frames it sends, and the code with which it closes. */
async function talk(...frames: readonly (string | Buffer)[]): Promise<{ heard: string[]; code: number }> {
  const socket = await connect();
  const heard: string[] = [];
  socket.on("message", (data) => heard.push((JSON.parse(data.toString()) as { t: string }).t));
  for (const frame of frames) socket.send(frame);
  const [code] = (await once(socket, "close")) as [number];
  return { heard, code };
}

describe("a socket that has not proven itself", () => {
  it.each<[string, readonly (string | Buffer)[], readonly string[]]>([
    ["another frame than hello", [JSON.stringify({ t: "ping", id: 1 })], []],
    ["what is no frame", ["{"], []],
    ["a binary frame", [Buffer.from(JSON.stringify(hello))], []],
    [
      "another frame than the proof",
      [JSON.stringify(hello), JSON.stringify({ t: "resume", acked: {} })],
      ["challenge"],
    ],
  ])("is closed at %s", async (_name, frames, heard) => {
    expect(await talk(...frames)).toEqual({ heard, code: LINK_CLOSE.protocol });
  });
});

describe("a host that has proven itself", () => {
  it("is heard in its order, also in what it sends before it is welcome", async () => {
    const socket = await connect();
    const heard: string[] = [];
    socket.send(JSON.stringify(hello));
    const pongs = new Promise<void>((resolve) => {
      socket.on("message", (data) => {
        const frame = JSON.parse(data.toString()) as { t: string; nonce: string; id: number };
        if (frame.t === "challenge") {
          const text = hostProofText({ hostNonce: NONCE, workerNonce: frame.nonce, generation: 1 });
          socket.send(JSON.stringify({ t: "proof", mac: macOf(TEST_WORKER.secret, text) }));
          socket.send(JSON.stringify({ t: "resume", acked: {} }));
          for (let id = 1; id <= 50; id++) socket.send(JSON.stringify({ t: "ping", id }));
        } else heard.push(frame.t === "pong" ? String(frame.id) : frame.t);
        if (frame.id === 50) resolve();
      });
    });
    await pongs;
    expect(heard).toEqual(["welcome", ...Array.from({ length: 50 }, (_, n) => String(n + 1))]);
    socket.send(JSON.stringify({ t: "ping", id: 51, more: true }));
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(LINK_CLOSE.protocol);
  });
});
