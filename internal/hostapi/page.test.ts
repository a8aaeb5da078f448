import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { accessOf } from "./guard.ts";
import { type Listener, listenTcp, listenUnix } from "./listen.ts";
import { openPageFiles } from "./static.ts";
import { type Bench, makeBench, TOKEN } from "./testing.ts";
import { sendRaw } from "./testing-socket.ts";

let dir = "";
let bench: Bench;
let tcp: Listener;
let unix: Listener;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lk-page-"));
  await mkdir(join(dir, "assets"));
  await writeFile(join(dir, "index.html"), "<!doctype html><title>the page</title>");
  await writeFile(join(dir, "assets", "main-ABCD1234.js"), "export {};");
  await writeFile(join(dir, "secret.js"), "not an asset");
  bench = makeBench({}, openPageFiles(dir));
  tcp = await listenTcp(bench.api, { host: "127.0.0.1", port: 0, configured: false });
  unix = await listenUnix(bench.api, join(dir, "api.sock"));
});
afterEach(async () => {
  bench.stop.abort();
  await Promise.all([tcp, unix].map((listener) => listener.close({ graceMs: 100 })));
  await rm(dir, { recursive: true, force: true });
});

const ask = (line: string, more: readonly string[] = [], body = "", at: { port: number } | { path: string } = tcp) =>
  sendRaw(
    at,
    `${line} HTTP/1.1\r\n${[`Host: 127.0.0.1:${tcp.port}`, "Connection: close", ...more].join("\r\n")}\r\n\r\n${body}`,
  );
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);

describe("the page", () => {
  it.each(["/", "/?item=1", "/lanes", "/lanes/demo/changes", "/health"])(
    "is served at %s without a token",
    async (at) => {
      const answer = await ask(`GET ${at}`);
      expect(answer).toContain("the page");
      expect(answer).toMatch(/content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; /);
      expect(answer).toMatch(/require-trusted-types-for 'script'/);
      expect(answer).toMatch(/cache-control: no-store/);
      expect(answer).toMatch(/cross-origin-opener-policy: same-origin/);
      expect(answer).toMatch(/referrer-policy: no-referrer/);
      expect(answer).not.toMatch(/set-cookie|unsafe|access-control/i);
    },
  );

  it("has files that never change under their name, and no others", async () => {
    const answer = await ask("GET /assets/main-ABCD1234.js");
    expect(answer).toMatch(/content-type: text\/javascript/);
    expect(answer).toMatch(/cache-control: public, max-age=31536000, immutable/);
    for (const path of ["/assets/none.js", "/assets/index.html", "/assets/secret.js"]) {
      expect([path, statusOf(await ask(`GET ${path}`))]).toEqual([path, 404]);
    }
    for (const path of [
      "/secret.js",
      "/assets/..",
      "/assets/../secret.js",
      "/assets/%2e%2e/secret.js",
      "/assets/",
      "/lane",
      "//",
    ]) {
      expect([path, statusOf(await ask(`GET ${path}`))]).toEqual([path, 401]);
    }
  });

  it.each([
    "/lanes/../v1/lanes",
    "/lanes/./../v1/lanes",
    "/lanes/demo/../../v1/lanes",
    "/lanes/%2e%2e/v1/lanes",
    "/lanes/..%2fv1/lanes",
    "/lanes/.%2e/v1/lanes?x",
    "/lanes\\..\\v1\\lanes",
    "/lanes/..\\v1\\lanes",
    "/assets/../v1/lanes",
    "/?/../v1/lanes",
    "//v1/lanes",
    "/lanes/..;/v1/lanes",
  ])("is no way into the API: %s", async (path) => {
    const answer = await ask(`GET ${path}`);
    expect(answer).not.toContain("demo-1111111111");
    expect(bench.calls).toEqual([]);
    expect([200, 401, 404]).toContain(statusOf(answer));
  });

  it("is not on the unix socket", async () => {
    expect(statusOf(await ask("GET /", [], "", { path: unix.address }))).toBe(404);
  });

  it.each([
    [
      "a link of another site",
      ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
      200,
      403,
    ],
    [
      "a frame of another site",
      ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"],
      403,
      403,
    ],
    [
      "a fetch of another site",
      ["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"],
      403,
      403,
    ],
    [
      "a person's own address",
      ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
      200,
      200,
    ],
  ])("answers %s", async (_, lines, document, asset) => {
    expect(statusOf(await ask("GET /", lines))).toBe(document);
    expect(statusOf(await ask("GET /assets/main-ABCD1234.js", lines))).toBe(asset);
    expect(statusOf(await ask("GET /v1/lanes", lines))).toBe(document === 200 && asset === 200 ? 401 : 403);
  });

  it("has nothing but itself without a token", () => {
    const access = (method: string, target: string) => accessOf({ method, target });
    expect([access("HEAD", "/"), access("POST", "/"), access("GET", "/v1/lanes"), access("GET", "/healthz")]).toEqual([
      "api",
      "api",
      "api",
      "api",
    ]);
    expect([access("POST", "/v1/login/"), access("POST", "/v1/login?x"), access("GET", "/v1/login")]).toEqual([
      "api",
      "api",
      "api",
    ]);
    expect([access("POST", "/v1/terminal"), access("GET", "/v1/terminal/x"), access("GET", "/lanesx")]).toEqual([
      "api",
      "api",
      "api",
    ]);
  });
});

describe("logging in", () => {
  const code = async () => {
    const answer = await ask("POST /v1/login-codes", ["Content-Length: 0"], "", { path: unix.address });
    return /#code=([0-9a-f]{32})"/.exec(answer)?.[1] ?? "";
  };
  const login = (given: string, lines: readonly string[]) => {
    const body = JSON.stringify({ code: given });
    return ask("POST /v1/login", [...lines, "Content-Type: application/json", `Content-Length: ${body.length}`], body);
  };

  it("gives the token for a code, once, to a page of ours", async () => {
    const ours = [`Origin: ${tcp.address}`, "Sec-Fetch-Site: same-origin"];
    const given = await code();
    for (const lines of [[], ["Origin: null"], ["Origin: http://127.0.0.1:1"], [...ours, "Origin: http://evil.test"]]) {
      expect(statusOf(await login(given, lines))).toBe(403);
    }
    const answer = await login(given, ours);
    expect(answer).toContain(`"token":"${TOKEN}"`);
    expect(answer).toMatch(/cache-control: no-store/);
    expect(statusOf(await login(given, ours))).toBe(401);
  });

  it("gives codes over the unix socket only", async () => {
    const answer = await ask("POST /v1/login-codes", ["Content-Length: 0", `Authorization: Bearer ${TOKEN}`]);
    expect([statusOf(answer), answer.includes("#code")]).toEqual([403, false]);
  });
});
