import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { startCuttingProxy } from "../../test/support/cutting-proxy.ts";
import { createHostRecord, linkTo, outputOf, script } from "../../test/support/lane-link.ts";
import {
  bundleWorker,
  startWorkerProcess,
  TEST_WORKER,
  type WorkerBundle,
  type WorkerProcess,
} from "../../test/support/worker-process.ts";
import { LINK_CLOSE } from "../protocol/index.ts";
import { createReadyProber, type LinkEnd } from "./index.ts";

const HASH = "cd".repeat(32);
let bundle: WorkerBundle;
let worker: WorkerProcess;

beforeAll(async () => {
  bundle = await bundleWorker();
  worker = await startWorkerProcess({ bundle: bundle.path, generation: 3 });
});
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  bundle?.[Symbol.dispose]();
});

describe("opening", () => {
  it("proves both sides and reports the worker", async () => {
    const link = await linkTo(worker, createHostRecord());
    expect(link).toMatchObject({ laneId: TEST_WORKER.laneId, generation: 3, pid: worker.pid, attempts: [] });
    expect(await link.ping({})).toBeLessThan(1000);
    link.close("done");
    expect(await link.closed).toBe("done");
  });

  it("is refused to another generation, and to a host with another secret", async () => {
    const record = createHostRecord();
    await expect(linkTo(worker, record, { generation: 4 })).rejects.toMatchObject({
      code: "worker.refused",
      details: { code: "generation" },
    });
    // It is the host that notices first: the worker's proof does not fit its secret.
    await expect(linkTo(worker, record, { secret: "00".repeat(32) })).rejects.toMatchObject({
      code: "worker.impostor",
    });
    await expect(linkTo(worker, record, { build: "00".repeat(32) })).rejects.toMatchObject({
      code: "worker.refused",
      details: { code: "build" },
    });
  });

  it("tells an impostor nothing but hello", async () => {
    const heard: string[] = [];
    await using squatter = await startSquatter((text, answer) => {
      heard.push(text);
      const { nonce } = JSON.parse(text) as { readonly nonce: string };
      answer({
        t: "challenge",
        protocol: 1,
        generation: 3,
        nonce,
        build: TEST_WORKER.build,
        boot: "b",
        spool: "s",
        pid: 1,
        mac: "00".repeat(32),
      });
    });
    const opening = linkTo({ endpoint: squatter.endpoint, generation: 3 }, createHostRecord());
    await expect(opening).rejects.toMatchObject({ code: "worker.impostor" });
    expect(heard.map((text) => Object.keys(JSON.parse(text)).sort())).toEqual([
      ["generation", "nonce", "protocol", "t"],
    ]);
    expect(heard.join()).not.toContain(TEST_WORKER.secret);
  });

  it("ends with worker.protocol at a frame that does not fit", async () => {
    for (const answer of ['{"t":"challenge"}', "{}", "[", '{"t":"welcome","attempts":[],"__proto__":{"x":1}}']) {
      await using squatter = await startSquatter((_text, _send, sendRaw) => sendRaw(answer));
      const opening = linkTo({ endpoint: squatter.endpoint, generation: 3 }, createHostRecord());
      await expect(opening).rejects.toMatchObject({ code: "worker.protocol" });
    }
  });

  it("fails fast when nobody listens, and at once when the caller gives up", async () => {
    const startedAtMs = performance.now();
    const opening = linkTo({ endpoint: "http://127.0.0.1:1", generation: 3 }, createHostRecord());
    await expect(opening).rejects.toMatchObject({ code: "worker.unreachable", retry: "retryable" });
    await using silent = await startSquatter(() => {});
    const signal = AbortSignal.timeout(50);
    const waiting = linkTo({ endpoint: silent.endpoint, generation: 3 }, createHostRecord(), { signal });
    await expect(waiting).rejects.toMatchObject({ name: "TimeoutError" });
    expect(performance.now() - startedAtMs).toBeLessThan(1000);
  });

  it("goes to the newest host: the older link is closed", async () => {
    const record = createHostRecord();
    const first = await linkTo(worker, record);
    const second = await linkTo(worker, record);
    expect(await first.closed).toBe("a newer link took over");
    expect(await second.ping({})).toBeGreaterThan(0);
    await expect(first.ping({})).rejects.toMatchObject({ code: "worker.unreachable" });
    second.close("done");
  });
});

describe("an open link", () => {
  it("notices at once that the worker died, and rejects what waits", async () => {
    await using victim = await startWorkerProcess({ bundle: bundle.path });
    let end: LinkEnd | null = null;
    const closed = (how: LinkEnd) => {
      end = how;
    };
    const link = await linkTo(victim, createHostRecord(), { on: { closed } });
    const waiting = link.closed.then(() => performance.now());
    victim.kill("SIGKILL");
    await victim.exited;
    const exitedAtMs = performance.now();
    expect((await waiting) - exitedAtMs).toBeLessThan(100);
    expect(end).toMatchObject({ kind: "lost", error: { code: "worker.unreachable" } });
    await expect(link.start("late", 1, HASH, script("true"), {})).rejects.toMatchObject({ code: "worker.unreachable" });
  });

  it("replays after every cut: 1..n, no gap, no repeat, every byte", async () => {
    const record = createHostRecord();
    await using proxy = await startCuttingProxy(worker.endpoint, 700_000);
    // About 3 MB in two bursts, so that frames of all sizes are cut.
    const half = "seq -f 'line %06g of a longer text'";
    const work = script(`${half} 1 50000; sleep 0.1; ${half} 50001 100000`, { outputCapBytes: 1 << 24 });
    const first = await linkTo(worker, record);
    await first.start("stream", 1, HASH, work, {});
    first.close("now through the proxy");
    let links = 0;
    const finished = record.finished("stream/1");
    for (let isDone = false; !isDone; links++) {
      const target = { endpoint: proxy.endpoint, generation: worker.generation };
      const link = await linkTo(target, record).catch(() => null);
      isDone = await Promise.race([finished.then(() => true), link?.closed.then(() => false) ?? false]);
      link?.close("done");
    }
    const events = record.events("stream/1");
    expect(links).toBeGreaterThan(2);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    const numbers = Array.from({ length: 100_000 }, (_, i) => String(i + 1).padStart(6, "0"));
    const expected = numbers.map((number) => `line ${number} of a longer text\n`).join("");
    expect(outputOf(events, "stdout").toString() === expected).toBe(true);
  });

  it("drops the link when a handler fails, and replays to the next one", async () => {
    const failing = createHostRecord();
    let end: LinkEnd | null = null;
    const link = await linkTo(worker, failing, {
      on: {
        events: ({ job }) => {
          if (job === "handler") throw new Error("store is full");
        },
        closed: (how) => {
          end = how;
        },
      },
    });
    await link.start("handler", 1, HASH, script("echo kept"), {});
    await link.closed;
    expect(end).toMatchObject({ kind: "dropped", error: { code: "internal.bug" } });
    const record = createHostRecord();
    const next = await linkTo(worker, record);
    expect(next.attempts.map(({ job }) => job)).toContain("handler");
    await record.finished("handler/1");
    expect(outputOf(record.events("handler/1"), "stdout").toString()).toBe("kept\n");
    next.close("done");
  });
});

describe("readiness", () => {
  const target = { secret: TEST_WORKER.secret, generation: 3, build: TEST_WORKER.build };

  it("proves the worker, and nobody else", async () => {
    const prober = createReadyProber();
    const probe = (more: object) => prober.probeReady({ ...target, endpoint: worker.endpoint, ...more }, {});
    expect(await probe({})).toMatchObject({ kind: "proven", pid: worker.pid });
    expect(await probe({ generation: 4 })).toMatchObject({ kind: "impostor" });
    expect(await probe({ secret: "00".repeat(32) })).toMatchObject({ kind: "impostor" });
    expect(await probe({ build: "00".repeat(32) })).toMatchObject({ kind: "impostor" });
    expect(await probe({ endpoint: "http://127.0.0.1:1" })).toMatchObject({ kind: "no_answer" });
    prober.close();
  });

  it("follows no redirect and reads no flood", async () => {
    const prober = createReadyProber();
    let visited = 0;
    const server = createServer((request, response) => {
      if (request.url?.startsWith("/readyz")) response.writeHead(302, { location: "/else" }).end();
      else visited++;
    });
    const flood = createServer((_request, response) => {
      response.writeHead(200);
      const more = () => response.write("x".repeat(65_536), () => response.writable && setImmediate(more));
      more();
    });
    for (const it of [server, flood]) await new Promise<void>((resolve) => it.listen(0, "127.0.0.1", resolve));
    const endpointOf = (it: typeof server) => `http://127.0.0.1:${(it.address() as AddressInfo).port}`;
    expect(await prober.probeReady({ ...target, endpoint: endpointOf(server) }, {})).toMatchObject({
      kind: "impostor",
    });
    expect(await prober.probeReady({ ...target, endpoint: endpointOf(flood) }, {})).toMatchObject({ kind: "impostor" });
    expect(visited).toBe(0);
    prober.close();
    for (const it of [server, flood]) {
      it.closeAllConnections();
      it.close();
    }
  });
});

describe("the published port", () => {
  it("serves nothing else, and only to its address", async () => {
    const status = async (path: string, init: RequestInit = {}) => (await fetch(worker.endpoint + path, init)).status;
    expect(await status("/healthz")).toBe(200);
    expect(await status("/")).toBe(404);
    expect(await status("/v1/lane/context")).toBe(404);
    expect(await status("/readyz")).toBe(400);
    expect(await status("/healthz", { method: "POST" })).toBe(404);
    for (const host of ["evil.test", "127.0.0.1.nip.io", "localhost.", "127.0.0.1.:80", ""]) {
      expect(await rawStatus(worker.endpoint, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toBe(421);
    }
    const twice = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.test\r\n\r\n";
    expect([400, 421]).toContain(await rawStatus(worker.endpoint, twice));
  });

  it("takes no link from a page, and at most 8 sockets without proof", async () => {
    const upgrade = (more: string) =>
      `GET /v1/link HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${more}\r\n`;
    expect(await rawStatus(worker.endpoint, upgrade("Origin: http://127.0.0.1:3000\r\n"))).toBe(403);
    const { WebSocket } = await import("ws");
    const sockets = Array.from({ length: 9 }, () => new WebSocket(`${worker.endpoint.replace("http", "ws")}/v1/link`));
    const code = await Promise.race(sockets.map((it) => new Promise((resolve) => it.once("close", resolve))));
    expect(code).toBe(LINK_CLOSE.busy);
    for (const it of sockets) it.terminate();
  });
});

/** The status of a request that an HTTP client would not send. */
async function rawStatus(endpoint: string, text: string): Promise<number> {
  const { connect } = await import("node:net");
  const socket = connect(Number(new URL(endpoint).port), "127.0.0.1");
  socket.write(text);
  const answer = await new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(bytes.toString())));
  socket.destroy();
  return Number(answer.split(" ")[1]);
}

/** Something else behind the port: answers each frame as told. */
async function startSquatter(
  onFrame: (text: string, send: (frame: object) => void, sendRaw: (text: string) => void) => void,
) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  server.on("connection", (socket) => {
    const sendRaw = (text: string) => socket.send(text);
    socket.on("message", (data) => onFrame(data.toString(), (frame) => sendRaw(JSON.stringify(frame)), sendRaw));
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of server.clients) socket.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
