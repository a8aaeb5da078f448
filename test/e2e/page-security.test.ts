import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiLane, ApiTerminalTicket } from "../../internal/protocol/index.ts";
import { callApi, readApi } from "../support/api.ts";
import { pageAddress, startBrowser, type TestBrowser } from "../support/browser.ts";
import { FULL } from "../support/full.ts";
import { type Installation, newInstallation, uniqueName } from "../support/installation.ts";
import { ATTACKS, type Attack } from "../support/page-attacks.ts";
import { inspectContainer } from "../support/podman.ts";

const STRANGER = 65_534;

/** One attempt: what the server answered, and what the attacker could read. */
interface Row {
  readonly from: string;
  readonly shape: string;
  readonly answers: string;
  readonly read: string;
}

/** Everything that other pages, other names and other users try against the page's listener (threats T18 to T23). */
describe("the page's listener", () => {
  let home: Installation;
  let browser: TestBrowser;
  let lane: ApiLane;
  let origin: string;
  let port: number;
  let user: Page;
  let context: BrowserContext;
  let attacker: Server;
  let before: string;
  /** What nobody else may ever see. */
  let secrets: readonly string[];
  const rows: Row[] = [];
  const name = uniqueName("hush");

  beforeAll(async () => {
    home = await newInstallation({ config: "log:\n  level: debug\n" });
    const repo = await home.repository();
    await home.up();
    await home.json(["workspace", "add", repo]);
    lane = await home.json<ApiLane>(["add", name]);
    origin = new URL(await pageAddress(home)).origin;
    port = Number(new URL(origin).port);
    browser = await startBrowser();
    user = await browser.open(home);
    context = user.context();
    attacker = createServer((_, answer) => {
      answer.writeHead(200, { "content-type": "text/html", "access-control-allow-origin": "*" });
      answer.end("<!doctype html><title>another site</title>");
    });
    await new Promise<void>((resolve) => attacker.listen(0, "127.0.0.1", resolve));
    const token = (await execa("cat", [join(home.stateDir, "token")])).stdout.trim();
    secrets = [token, name, lane.id, lane.worktree, home.dir];
    before = await state();
  }, 120_000);
  afterAll(async () => {
    process.stdout.write(`${renderTable(rows)}\n`);
    attacker?.close();
    await browser?.[Symbol.asyncDispose]();
    await home?.[Symbol.asyncDispose]();
  });

  /** All that a call could change, as seen by the user. */
  async function state(): Promise<string> {
    const paths = ["/v1/workspaces", "/v1/lanes", "/v1/jobs", "/v1/inbox?state=all", "/v1/events?follow=0&limit=1000"];
    return (await Promise.all(paths.map((path) => readApi(home, path))))
      .join("\n")
      .replace(/"lastProgressAt":"[^"]*"/g, "");
  }
  /** What the daemon has said to requests that it refused, in order. */
  const refusals = async (): Promise<readonly string[]> => {
    const log = await readFile(join(home.stateDir, "logs", "laned.log"), "utf8");
    return [...log.matchAll(/"code":"(request\.\w+)".*"msg":"request refused"/g)].map((match) => match[1] ?? "");
  };
  const leaks = (text: string) => secrets.filter((secret) => text.includes(secret));
  const attackerAt = (host: string) => `http://${host}:${(attacker.address() as { port: number }).port}/`;

  /** Runs every attack in a page of its own at `url`, in the profile in which the user is logged in. */
  async function attackFrom(from: string, url: string, attacks: readonly Attack[]): Promise<void> {
    const page = await context.newPage();
    for (const attack of attacks) {
      await page.goto(url);
      const logged = await refusals();
      const got = await page.evaluate<string>(attack.script({ target: origin, lane: lane.id })).catch(String);
      await page.waitForTimeout(attack.waitMs ?? 0);
      const read = attack.readsBack ? String(await page.evaluate(attack.readsBack).catch(String)) : got;
      rows.push({
        from,
        shape: attack.name,
        answers: [...new Set((await refusals()).slice(logged.length))].join(" ") || "nothing to refuse",
        read: read.slice(0, 60),
      });
      expect([attack.name, leaks(read), leaks(got)]).toEqual([attack.name, [], []]);
      for (const other of context.pages()) if (other !== page && other !== user) await other.close();
    }
    await page.close();
    expect(await state()).toBe(before);
  }

  it("gives nothing to a page of another port of this machine, and does nothing for it", async () => {
    await attackFrom("other port", attackerAt("127.0.0.1"), ATTACKS);
  }, 120_000);

  it("nor to a page that is served from inside a lane", async () => {
    const serve =
      'require("http").createServer((q,r)=>{r.writeHead(200,{"content-type":"text/html"});r.end("<title>lane</title>")}).listen(8123,"0.0.0.0")';
    const job = await home.json<{ id: string }>(["run", name, "--detach", "--", "node", "-e", serve]);
    const networks = Object.values((await inspectContainer(lane.containerName)).NetworkSettings.Networks);
    const url = `http://${networks[0]?.IPAddress}:8123/`;
    await expect
      .poll(
        () =>
          fetch(url).then(
            (answer) => answer.status,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(200);
    before = await state();
    await attackFrom("a lane's page", url, FULL ? ATTACKS : ATTACKS.filter(({ isMain }) => isMain));
    await home.json(["job", "cancel", job.id]);
    await home.json(["job", "wait", job.id]).catch(() => undefined);
    before = await state();
  }, 120_000);

  it("serves no other name that leads here, whatever the browser thinks is the same origin", async () => {
    const names = ["rebind.test", "127.0.0.1.nip.io", "localhost.rebind.test"];
    const rebinding = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        // Chromium's own guard is newer than other browsers': ours is the subject.
        "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
        `--host-resolver-rules=${names.map((one) => `MAP ${one} 127.0.0.1`).join(",")}`,
      ],
    });
    try {
      for (const one of names) {
        const page = await rebinding.newPage();
        const answer = await page.goto(`http://${one}:${port}/`);
        // The attacker's own page, served under this name before the name leads here.
        await page.route("**/evil", (route) =>
          route.fulfill({ contentType: "text/html", body: "<title>evil</title>" }),
        );
        await page.goto(`http://${one}:${port}/evil`);
        const read = await page.evaluate<string>(
          `Promise.all(["/", "/v1/lanes", "/v1/events", "/assets/x.js"].map((path) => fetch(path).then(async (r) => r.status + " " + await r.text(), String))).then((all) => all.join("; "))`,
        );
        rows.push({
          from: one,
          shape: "rebound: page, fetches",
          answers: String(answer?.status()),
          read: read.slice(0, 60),
        });
        expect(answer?.status()).toBe(421);
        expect(read.match(/421 /g)).toHaveLength(4);
        expect(leaks(read + (await page.content()))).toEqual([]);
      }
    } finally {
      await rebinding.close();
    }
  }, 60_000);

  it("judges Host and Origin of raw requests exactly, on page, login and socket", async () => {
    const good = `127.0.0.1:${port}`;
    const ticket = () =>
      callApi<ApiTerminalTicket>(home, "POST", `/v1/lanes/${lane.id}/terminal`, { cols: 80, rows: 24 });
    const kinds = {
      page: async () => ["GET / HTTP/1.1", "", ""] as const,
      login: async () =>
        [
          "POST /v1/login HTTP/1.1",
          "Content-Type: application/json\r\nContent-Length: 12\r\n",
          '{"code":"x"}',
        ] as const,
      socket: async () => {
        const { path, protocol, ticket: secret } = await ticket();
        const lines = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n`;
        return [`GET ${path} HTTP/1.1`, `${lines}Sec-WebSocket-Protocol: ${protocol}, ${secret}\r\n`, ""] as const;
      },
    };
    /** Head lines, and the answers of page, login (with a wrong code) and socket (with a valid ticket). */
    const table: readonly (readonly [string, readonly string[], readonly [number, number, number]])[] = [
      ["ours", [`Host: ${good}`, `Origin: ${origin}`], [200, 401, 101]],
      ["no origin", [`Host: ${good}`], [200, 403, 403]],
      ["null origin", [`Host: ${good}`, "Origin: null"], [403, 403, 403]],
      ["another port's origin", [`Host: ${good}`, "Origin: http://127.0.0.1:1"], [403, 403, 403]],
      ["our host by https", [`Host: ${good}`, `Origin: https://${good}`], [403, 403, 403]],
      ["two origins", [`Host: ${good}`, `Origin: ${origin}`, "Origin: http://evil.test"], [403, 403, 403]],
      ["evil host", [`Host: evil.test:${port}`, `Origin: http://evil.test:${port}`], [421, 421, 421]],
      ["trailing dot", [`Host: localhost.:${port}`, `Origin: ${origin}`], [421, 421, 421]],
      ["nip.io", [`Host: 127.0.0.1.nip.io:${port}`, `Origin: ${origin}`], [421, 421, 421]],
      ["no port", ["Host: 127.0.0.1", `Origin: ${origin}`], [421, 421, 421]],
      ["0.0.0.0", [`Host: 0.0.0.0:${port}`, `Origin: ${origin}`], [421, 421, 421]],
      ["no host", [`Origin: ${origin}`], [400, 400, 421]],
      ["two hosts", [`Host: ${good}`, "Host: evil.test", `Origin: ${origin}`], [421, 421, 421]],
      ["cross-site", [`Host: ${good}`, `Origin: ${origin}`, "Sec-Fetch-Site: cross-site"], [403, 403, 403]],
      ["same-site", [`Host: ${good}`, `Origin: ${origin}`, "Sec-Fetch-Site: same-site"], [403, 403, 403]],
    ];
    for (const [shape, lines, wanted] of table) {
      const got: number[] = [];
      for (const make of Object.values(kinds)) {
        const [line, more, body] = await make();
        const answer = await sendRaw(port, `${line}\r\n${lines.map((one) => `${one}\r\n`).join("")}${more}\r\n${body}`);
        got.push(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]));
        expect([shape, leaks(answer)]).toEqual([shape, []]);
        expect(answer).not.toMatch(/set-cookie|access-control-allow/i);
      }
      rows.push({ from: "raw socket", shape, answers: got.join(" "), read: "" });
      expect([shape, got]).toEqual([shape, wanted]);
    }
    expect(await state()).toBe(before);
  });

  it("takes a code and a ticket once", async () => {
    const code = new URL(await pageAddress(home)).hash.slice("#code=".length);
    const login = () =>
      sendRaw(
        port,
        `POST /v1/login HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\nContent-Type: application/json\r\nContent-Length: ${code.length + 11}\r\nConnection: close\r\n\r\n{"code":"${code}"}`,
      );
    expect(await login()).toMatch(/^HTTP\/1\.1 200 /);
    expect(await login()).toMatch(/^HTTP\/1\.1 401 /);
    await expect(callApi(home, "POST", "/v1/login", { code })).rejects.toThrow("401");
  });

  it("keeps other users of this machine out", async () => {
    const socket = join(home.env.XDG_RUNTIME_DIR as string, "lanekeeper", "api.sock");
    const script = `
      const { connect } = require("node:net"), { readFileSync } = require("node:fs");
      const say = (what, how) => console.log(what + ": " + how);
      const tryRead = (path) => { try { return readFileSync(path, "latin1").length + " bytes"; } catch (error) { return error.code; } };
      say("token file", tryRead(${JSON.stringify(join(home.stateDir, "token"))}));
      say("database", tryRead(${JSON.stringify(join(home.stateDir, "lanekeeper.db"))}));
      connect(${JSON.stringify(socket)}).on("error", (error) => say("unix socket", error.code)).on("connect", function () { say("unix socket", "open"); this.destroy(); });
      (async () => {
        for (const path of ["/v1/lanes", "/v1/status", "/v1/events", "/healthz", "/openapi.json"]) {
          const answer = await fetch(${JSON.stringify(origin)} + path);
          say(path, answer.status + " " + await answer.text());
        }
        const post = await fetch(${JSON.stringify(origin)} + "/v1/login-codes", { method: "POST" });
        say("POST /v1/login-codes", post.status + " " + await post.text());
      })();`;
    // Not from below our own closed folder: the modes of the files themselves are the subject.
    await execa("chmod", ["711", home.dir]);
    const node = process.execPath;
    const said = await execa(
      "setpriv",
      [`--reuid=${STRANGER}`, `--regid=${STRANGER}`, "--clear-groups", "--", node, "-e", script],
      { cwd: "/", reject: false },
    );
    await execa("chmod", ["700", home.dir]);
    const lines = said.stdout.split("\n");
    for (const line of lines) {
      const [shape = "", read = ""] = line.split(/: (.*)/s);
      rows.push({ from: `uid ${STRANGER}`, shape, answers: read.slice(0, 6), read: "" });
    }
    expect(said.stdout).toMatch(/token file: EACCES/);
    expect(said.stdout).toMatch(/database: EACCES/);
    expect(said.stdout).toMatch(/unix socket: EACCES/);
    expect(lines.filter((line) => /: 401 /.test(line))).toHaveLength(6);
    expect(leaks(said.stdout)).toEqual([]);
    expect(await state()).toBe(before);
  });

  it("and the probes would see a change and a leak: the user's own page can do both", async () => {
    const script = ATTACKS.find((attack) => attack.name === "fetch POST json")?.script({
      target: origin,
      lane: lane.id,
    });
    await user.goto(`${origin}/`);
    const key = await user.evaluate<string>("sessionStorage.getItem('lanekeeper-token')");
    const got = await user.evaluate<string>(`(${script})`.replaceAll('"x-try": "1"', `authorization: "Bearer ${key}"`));
    expect(leaks(got)).not.toEqual([]);
    expect(await state()).not.toBe(before);
    expect(await context.cookies()).toEqual([]);
  });
});

function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    const done = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, done);
    socket.on("data", (chunk) => {
      answer += chunk;
      // What follows the head of an answer or an upgrade comes within a moment.
      socket.setTimeout(100, done);
    });
    socket.on("error", reject);
    socket.on("end", done);
    socket.write(text);
  });
}

function renderTable(rows: readonly Row[]): string {
  const width = (pick: (row: Row) => string) => Math.max(...rows.map((row) => pick(row).length));
  const [from, shape, answers] = [width((r) => r.from), width((r) => r.shape), width((r) => r.answers)];
  const lines = rows.map(
    (row) => `${row.from.padEnd(from)}  ${row.shape.padEnd(shape)}  ${row.answers.padEnd(answers)}  ${row.read}`,
  );
  return [`page security: ${rows.length} attempts, 0 state changes, 0 bytes of lane data`, ...lines].join("\n");
}
