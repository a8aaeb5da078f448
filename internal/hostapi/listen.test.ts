import { mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { type Listener, listenTcp, listenUnix } from "./listen.ts";
import { type Bench, makeBench, TOKEN } from "./testing.ts";
import { sendRaw } from "./testing-socket.ts";

let dir = "";
let bench: Bench;
let open: Listener[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lk-api-"));
  bench = makeBench();
});
afterEach(async () => {
  bench.stop.abort();
  for (const listener of open) await listener.close({ graceMs: 100 });
  open = [];
  await rm(dir, { recursive: true, force: true });
});

const socket = () => join(dir, "api.sock");
const unix = async () => {
  const listener = await listenUnix(bench.api, socket());
  open.push(listener);
  return listener;
};
const tcp = async (port = 0, configured = false) => {
  const listener = await listenTcp(bench.api, { host: "127.0.0.1", port, configured });
  open.push(listener);
  return listener;
};
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
const codeOf = (answer: string) => /"code":"([^"]+)"/.exec(answer)?.[1] ?? null;

describe("over TCP", () => {
  const BODY = '{"kind":"command","argv":["true"]}';
  /** A POST that would change something; each header is a line, `null` leaves the usual one out. */
  const post = (port: number, change: Record<string, string | readonly string[] | null> = {}, body = BODY) => {
    const headers: Record<string, string | readonly string[] | null> = {
      Host: `127.0.0.1:${port}`,
      Authorization: `Bearer ${TOKEN}`,
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(body)),
      Connection: "close",
      ...change,
    };
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      value === null ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`),
    );
    return sendRaw({ port }, `POST /v1/lanes/demo/jobs HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  };

  it("lets the page and programs with the token in", async () => {
    const { port, address } = await tcp();
    expect(address).toBe(`http://127.0.0.1:${port}`);
    expect(statusOf(await post(port))).toBe(201);
    for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
      const headers = { Host: origin.slice(7), Origin: origin, "Sec-Fetch-Site": "same-origin" };
      expect(statusOf(await post(port, headers))).toBe(201);
    }
    expect(statusOf(await post(port, { "Sec-Fetch-Site": "none" }))).toBe(201);
    expect(bench.jobs).toHaveLength(4);
  });

  it.each<[string, (port: number) => Record<string, string | readonly string[] | null>, number, string | null]>([
    ["another host", () => ({ Host: "evil.test" }), 421, "request.misdirected"],
    ["another host on our port", (port) => ({ Host: `evil.test:${port}` }), 421, "request.misdirected"],
    ["a host without the port", () => ({ Host: "127.0.0.1" }), 421, "request.misdirected"],
    ["a host with another port", (port) => ({ Host: `127.0.0.1:${port + 1}` }), 421, "request.misdirected"],
    ["a trailing dot", (port) => ({ Host: `localhost.:${port}` }), 421, "request.misdirected"],
    ["a rebinding name", (port) => ({ Host: `127.0.0.1.nip.io:${port}` }), 421, "request.misdirected"],
    ["all interfaces", (port) => ({ Host: `0.0.0.0:${port}` }), 421, "request.misdirected"],
    ["IPv6 loopback", (port) => ({ Host: `[::1]:${port}` }), 421, "request.misdirected"],
    ["a host with credentials", (port) => ({ Host: `a@127.0.0.1:${port}` }), 421, "request.misdirected"],
    ["an empty host", () => ({ Host: "" }), 421, "request.misdirected"],
    ["no host", () => ({ Host: null }), 400, null],
    ["two hosts, ours first", (port) => ({ Host: [`127.0.0.1:${port}`, "evil.test"] }), 421, "request.misdirected"],
    [
      "two hosts, both ours",
      (port) => ({ Host: [`127.0.0.1:${port}`, `127.0.0.1:${port}`] }),
      421,
      "request.misdirected",
    ],
    ["another origin", () => ({ Origin: "http://evil.test" }), 403, "request.forbidden"],
    ["another port's origin", (port) => ({ Origin: `http://127.0.0.1:${port + 1}` }), 403, "request.forbidden"],
    ["our host over https", (port) => ({ Origin: `https://127.0.0.1:${port}` }), 403, "request.forbidden"],
    ["a null origin", () => ({ Origin: "null" }), 403, "request.forbidden"],
    ["an empty origin", () => ({ Origin: "" }), 403, "request.forbidden"],
    [
      "our origin twice",
      (port) => ({ Origin: [0, 0].map(() => `http://127.0.0.1:${port}`) }),
      403,
      "request.forbidden",
    ],
    ["two origins", (port) => ({ Origin: [`http://127.0.0.1:${port}`, "http://evil.test"] }), 403, "request.forbidden"],
    ["a fetch of another site", () => ({ "Sec-Fetch-Site": "cross-site" }), 403, "request.forbidden"],
    ["a fetch of another port", () => ({ "Sec-Fetch-Site": "same-site" }), 403, "request.forbidden"],
    ["no token", () => ({ Authorization: null }), 401, "request.unauthorized"],
    ["a wrong token", () => ({ Authorization: `Bearer ${"x".repeat(64)}` }), 401, "request.unauthorized"],
    ["a shorter token", () => ({ Authorization: `Bearer ${TOKEN.slice(1)}` }), 401, "request.unauthorized"],
    ["a longer token", () => ({ Authorization: `Bearer ${TOKEN}t` }), 401, "request.unauthorized"],
    ["an empty token", () => ({ Authorization: "Bearer " }), 401, "request.unauthorized"],
    ["another scheme", () => ({ Authorization: `Basic ${TOKEN}` }), 401, "request.unauthorized"],
    ["the token twice", () => ({ Authorization: [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`] }), 401, "request.unauthorized"],
    ["the token as a cookie", () => ({ Authorization: null, Cookie: `token=${TOKEN}` }), 401, "request.unauthorized"],
    ["a form", () => ({ "Content-Type": "application/x-www-form-urlencoded" }), 415, "request.unsupported_media"],
    ["plain text", () => ({ "Content-Type": "text/plain" }), 415, "request.unsupported_media"],
    ["no content type", () => ({ "Content-Type": null }), 415, "request.unsupported_media"],
  ])("refuses %s", async (_, change, status, code) => {
    const { port } = await tcp();
    const answer = await post(port, change(port));
    expect([statusOf(answer), codeOf(answer)]).toEqual([status, code]);
    expect(bench.calls).toEqual([]);
    expect(answer).not.toMatch(/access-control-allow/i);
    expect(answer).not.toMatch(/set-cookie/i);
    expect(answer).not.toContain(TOKEN);
    if (code !== null) expect(answer).toMatch(/x-content-type-options: nosniff/i);
  });

  it("asks for the token on every route and method", async () => {
    const { port } = await tcp();
    for (const target of ["/healthz", "/readyz", "/openapi.json", "/v1/status", "/v1/events", "/nope"]) {
      for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "TRACE"]) {
        const answer = await sendRaw(
          { port },
          `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
        );
        expect([method, target, statusOf(answer)]).toEqual([method, target, 401]);
      }
    }
  });

  it.each([
    ["an absolute target", "GET http://evil.test/v1/status HTTP/1.1"],
    ["an asterisk", "OPTIONS * HTTP/1.1"],
  ])("refuses %s", async (_, line) => {
    const { port } = await tcp();
    const head = `${line}\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n\r\n`;
    expect(statusOf(await sendRaw({ port }, head))).toBe(400);
  });

  it("answers a preflight like anything else without a token, and grants nothing", async () => {
    const { port } = await tcp();
    const lines = `Origin: http://evil.test\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n`;
    const answer = await sendRaw({ port }, `OPTIONS /v1/lanes HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines}\r\n`);
    expect([statusOf(answer), /access-control/i.test(answer)]).toEqual([403, false]);
  });

  it("does not stop the daemon over TCP", async () => {
    const { port } = await tcp();
    const head = `POST /v1/shutdown HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: close\r\n`;
    const answer = await sendRaw({ port }, `${head}Content-Length: 0\r\n\r\n`);
    expect([statusOf(answer), codeOf(answer), bench.calls]).toEqual([403, "request.forbidden", []]);
  });

  it("takes 2 MiB and no more, announced or not", async () => {
    const { port } = await tcp();
    const prompt = (bytes: number) => {
      const body = '{"kind":"command","argv":["true"]}';
      return body + " ".repeat(bytes - body.length);
    };
    const limit = 2 * 1024 * 1024;
    expect(statusOf(await post(port, {}, prompt(limit)))).toBe(201);
    const over = await post(port, {}, prompt(limit + 1));
    expect([statusOf(over), codeOf(over)]).toEqual([413, "request.too_large"]);
    const chunk = "x".repeat(64 * 1024);
    const chunks = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(33);
    const chunked = { "Content-Length": null, "Transfer-Encoding": "chunked" };
    const streamed = await post(port, chunked, `${chunks}0\r\n\r\n`);
    expect([statusOf(streamed), codeOf(streamed)]).toEqual([413, "request.too_large"]);
    expect(bench.jobs).toHaveLength(1);
  });

  it("refuses headers without end", async () => {
    const { port } = await tcp();
    expect(statusOf(await post(port, { "X-Long": "x".repeat(20_000) }))).toBe(431);
  });

  it("a taken default port: the one of last time, or another free one when that is taken, too", async () => {
    const [default_, last] = [await tcp(), await tcp()];
    await last.close({ graceMs: 0 });
    const again = async () => {
      const port = default_.port;
      const listener = await listenTcp(bench.api, { host: "127.0.0.1", port, configured: false, last: last.port });
      open.push(listener);
      return listener.port;
    };
    expect(await again()).toBe(last.port);
    expect([default_.port, last.port]).not.toContain(await again());
  });

  it("a taken port: a free one instead of the default, an error for a configured one", async () => {
    const first = await tcp();
    const second = await tcp(first.port);
    expect(second.port).not.toBe(first.port);
    expect(statusOf(await post(second.port))).toBe(201);
    await expect(tcp(first.port, true)).rejects.toMatchObject({
      code: "daemon.port_taken",
      details: { port: first.port },
    });
  });
});

describe("over the unix socket", () => {
  const get = (path: string) =>
    sendRaw({ path: socket() }, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);

  it("needs no token, whatever the host, and is open to this user only", async () => {
    await unix();
    expect(statusOf(await get("/v1/lanes"))).toBe(200);
    expect(statusOf(await sendRaw({ path: socket() }, "GET /healthz HTTP/1.0\r\n\r\n"))).toBe(200);
    expect((await stat(socket())).mode & 0o777).toBe(0o600);
    const answer = await sendRaw(
      { path: socket() },
      "POST /v1/shutdown HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    expect([statusOf(answer), bench.calls.at(-1)]).toEqual([202, ["status.shutdown"]]);
  });

  it("still wants JSON to be called JSON", async () => {
    await unix();
    const head =
      "POST /v1/lanes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}";
    expect(statusOf(await sendRaw({ path: socket() }, head))).toBe(415);
  });

  it("replaces the socket of a dead process, never that of a living one", async () => {
    // A process that dies leaves its file behind: bind one, and take the file along under another name.
    const dead = createNetServer();
    await new Promise<void>((resolve) => dead.listen(join(dir, "dying"), resolve));
    const { rename } = await import("node:fs/promises");
    await rename(join(dir, "dying"), socket());
    await new Promise((resolve) => dead.close(resolve));
    expect((await stat(socket())).isSocket()).toBe(true);
    await unix();
    expect(statusOf(await get("/healthz"))).toBe(200);
    await expect(listenUnix(bench.api, socket())).rejects.toMatchObject({ code: "daemon.already_running" });
    expect(statusOf(await get("/healthz"))).toBe(200);
  });

  it("removes no file that is not a socket, and wants a closed folder", async () => {
    await writeFile(socket(), "precious");
    await expect(listenUnix(bench.api, socket())).rejects.toMatchObject({
      code: "config.invalid",
      message: `${socket()} is not a socket`,
    });
    await rm(socket());
    await symlink(join(dir, "elsewhere"), socket());
    await expect(listenUnix(bench.api, socket())).rejects.toThrow();
    const { chmod } = await import("node:fs/promises");
    await chmod(dir, 0o755);
    await expect(listenUnix(bench.api, join(dir, "b.sock"))).rejects.toMatchObject({ code: "config.invalid" });
  });
});

describe("closing", () => {
  it("lets a running request end, then takes no more", async () => {
    const listener = await unix();
    let finish: (view: never) => void = () => {};
    const waiting = new Promise<never>((resolve) => {
      finish = resolve;
    });
    const view = await bench.ports.lanes.get("demo-1111111111", {});
    Object.assign(bench.ports.lanes, { ensure: () => waiting });
    const running = sendRaw(
      { path: socket() },
      "POST /v1/lanes/demo/ensure HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
      3000,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = listener.close({ graceMs: 2000 });
    finish(view as never);
    expect(statusOf(await running)).toBe(200);
    await closed;
    await expect(sendRaw({ path: socket() }, "GET /healthz HTTP/1.1\r\n\r\n")).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  });

  it("cuts what does not end", async () => {
    const listener = await unix();
    let seen: AbortSignal | undefined;
    const hang = (_: string, opts: { signal: AbortSignal }) => {
      seen = opts.signal;
      return new Promise(() => {});
    };
    Object.assign(bench.ports.lanes, { ensure: hang });
    const head = "POST /v1/lanes/demo/ensure HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    const running = sendRaw({ path: socket() }, head, 5000).catch(() => "cut");
    await new Promise((resolve) => setTimeout(resolve, 50));
    await listener.close({ graceMs: 50 });
    await running;
    await expect.poll(() => seen?.aborted).toBe(true);
    expect(seen?.reason).toBeInstanceOf(AppError);
  });

  it("tells a port that its client has gone, and not that it was answered", async () => {
    await unix();
    const signals: AbortSignal[] = [];
    const original = bench.ports.lanes.ensure;
    Object.assign(bench.ports.lanes, {
      ensure: (id: string, opts: { signal: AbortSignal; waitMs: number }) => {
        signals.push(opts.signal);
        return opts.waitMs === 0 ? original(id, opts) : new Promise(() => {});
      },
    });
    const options = { socketPath: socket(), method: "POST" };
    const answered = request({ ...options, path: "/v1/lanes/demo/ensure?wait=0" }, (answer) => answer.resume());
    await new Promise((resolve) => answered.end().on("close", resolve));
    const leaving = request({ ...options, path: "/v1/lanes/demo/ensure" });
    leaving.on("error", () => undefined);
    leaving.end();
    await new Promise((resolve) => setTimeout(resolve, 50));
    leaving.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(signals.map((signal) => signal.aborted)).toEqual([false, true]);
  });
});
