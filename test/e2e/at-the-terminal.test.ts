import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiJob, ApiLane, ApiStatus } from "../../internal/protocol/api.ts";
import type { ApiInboxItem } from "../../internal/protocol/api-inbox.ts";
import { DIST, eventually, type Installation, newInstallation } from "../support/installation.ts";
import { inspectContainer } from "../support/podman.ts";

const HOSTILE = "\u001b]0;pwned\u0007\u009b31mWhich schema should the orders table have from now on, and why that one?";

describe("a person at a terminal", { timeout: 60_000 }, () => {
  let home: Installation;

  beforeAll(async () => {
    home = await newInstallation();
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
    await home.json(["add", "fix"]);
  }, 120_000);
  afterAll(() => home?.[Symbol.asyncDispose]());

  /** A job of the lane asks; resolves once its question is there. */
  async function ask(question: string): Promise<{ readonly job: string; readonly item: ApiInboxItem }> {
    const argv = ["inbox", "ask", question, "--choice", "both", "--choice", "drop v1", "--wait", "60s"];
    const job = await home.json<ApiJob>(["run", "fix", "--detach", "--", ...argv]);
    const item = await eventually(
      async () => (await home.json<ApiInboxItem[]>(["inbox"])).find((one) => one.job === job.id),
      { what: "the question" },
    );
    return { job: job.id, item };
  }

  /** What a terminal of 80 columns shows of a shell's command. Each `typed` is what is waited for, and the keys then. */
  async function onTerminal(command: string, typed: readonly (readonly [seen: string, keys: string])[] = []) {
    const env = { ...home.env, PATH: `${join(DIST, "bin")}:${home.env.PATH}`, TERM: "xterm" };
    const options = { env, extendEnv: false, cwd: home.dir, timeout: 30_000 } as const;
    const shown = execa("script", ["-qec", `stty cols 80; ${command}`, "/dev/null"], options);
    let text = "";
    shown.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    for (const [seen, keys] of typed) {
      await eventually(() => text.includes(seen), { what: `${JSON.stringify(seen)} on the terminal` });
      text = "";
      shown.stdin.write(keys);
    }
    return (await shown).stdout.replaceAll("\r", "");
  }

  const outputOf = async (job: string) => {
    await home.lane(["job", "wait", job]);
    const events = (await home.lane(["job", "events", job])).stdout.trim().split("\n");
    return events.map((line) => (JSON.parse(line) as { text?: string }).text ?? "").join("");
  };

  it("sees what waits within 80 columns, harmless, and why its lane is not simply fine", async () => {
    const { job, item } = await ask(HOSTILE);
    const listed = await onTerminal("lane inbox");
    expect(listed).toMatch(/^ITEM +KIND +LANE +AGE +WHAT\n\w{10} +question +fix +\S+ +.*…$/);
    const shown = await onTerminal(`lane inbox ${item.id.slice(0, 12)}`);
    expect(shown).toContain("\n  1) both\n  2) drop v1");
    const status = await onTerminal("lane status");
    expect(status).toMatch(/fix +ready +\S+ ago +1 open question; next: lane inbox --lane fix/);
    for (const text of [listed, shown, status]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those that must not be there
      expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    }
    const table = status.slice(status.indexOf("\nLANE "));
    for (const line of `${listed}\n${table}`.split("\n")) expect([...line].length).toBeLessThanOrEqual(80);
    // Asks, takes a choice's number, and the job has its words.
    expect(await onTerminal(`lane answer ${item.id}`, [["Answer (1-2, or words): ", "2\n"]])).toContain(
      `item ${item.id} is answered: drop v1`,
    );
    expect(await outputOf(job)).toBe("drop v1\n");
  });

  it("answers at the same moment as another: one wins, the other is told who did", async () => {
    const { job, item } = await ask("Now?");
    const both = await Promise.all([home.lane(["answer", item.id, "1"]), home.lane(["answer", item.id, "2"])]);
    expect(both.map(({ code }) => code).toSorted()).toEqual([0, 5]);
    const winner = both[0].code === 0 ? "both" : "drop v1";
    expect(both.map(({ stderr }) => stderr).join("")).toContain(`item ${item.id} is answered by cli: ${winner}`);
    expect(await outputOf(job)).toBe(`${winner}\n`);
  });

  it("presses tab in a real bash, also where no daemon is", async () => {
    const rc = join(home.dir, "rc");
    await writeFile(rc, "source <(lane completion bash)\nPS1='$ '\nbind 'set enable-bracketed-paste off'\n");
    // What tab has made of the line is made visible by a comment in front of it.
    const typed = (line: string, seen: string) =>
      onTerminal(`bash --rcfile ${rc} -i`, [
        ["$ ", `${line}\t`],
        [seen, "\u0001#\n"],
        ["$ ", "exit\n"],
      ]);
    expect(await typed("lane show f", "fix ")).toContain("$ lane show fix ");
    expect(await typed("lane answ", "answer ")).toContain("$ lane answer ");
    await home.lane(["down"]);
    expect(await typed("lane show f", "\u0007")).not.toContain("fix");
    expect((await home.lane(["status"])).code).toBe(6);
    await home.up();
  });

  it("watches what comes, over a restart of the daemon", async () => {
    const watching = execa(join(DIST, "bin", "lane"), ["inbox", "--watch", "--json"], { env: home.env, reject: false });
    let seen = "";
    watching.stdout.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
    });
    // There is nothing to see of it when it is ready.
    await sleep(1000);
    await home.kill9();
    await home.up();
    const { job, item } = await ask("After the restart?");
    await eventually(() => seen.includes(item.id), { what: "the question in the watch" });
    await home.lane(["answer", item.id, "both"]);
    await eventually(() => seen.includes('"state":"answered"'), { what: "its answer in the watch" });
    watching.kill("SIGINT");
    expect((await watching).exitCode).toBe(130);
    await outputOf(job);
  });

  /** Of the host API over its socket, as other programs reach it. */
  async function overSocket(
    path: string,
    init: { readonly headers?: Record<string, string>; readonly body?: string } = {},
  ) {
    const socketPath = join(home.env.XDG_RUNTIME_DIR ?? "", "lanekeeper", "api.sock");
    const dispatcher = new Agent({ connect: { socketPath } });
    try {
      const method = init.body === undefined ? "GET" : "POST";
      const { statusCode, body } = await request(`http://localhost${path}`, { ...init, method, dispatcher });
      return { status: statusCode, text: await body.text() };
    } finally {
      await dispatcher.close();
    }
  }

  it("has laned as systemd runs it: by the unit's own words, until TERM, and its lanes go on", async () => {
    const { stdout: unit } = await home.lane(["service", "install", "--print"]);
    const values = (name: string) =>
      [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value.replaceAll('"', ""));
    const [program = "", laned = ""] = (values("ExecStart")[0] ?? "").split(" ");
    const variables = values("Environment").map((pair) => [pair.split("=")[0], pair.slice(pair.indexOf("=") + 1)]);
    const env = { HOME: home.env.HOME, ...Object.fromEntries(variables) };
    const lane = await home.json<ApiLane>(["show", "fix"]);
    await home.lane(["down"]);
    const service = execa(program, [laned], { env, extendEnv: false, stdin: "ignore", reject: false, cwd: "/" });
    await eventually(async () => (await home.lane(["status"])).code === 0, { what: "laned" });
    expect((await home.json<ApiStatus>(["status"])).pid).toBe(service.pid);
    expect((await home.lane(["run", "fix", "--", "echo", "at work"])).stdout).toBe("at work\n");
    service.kill("SIGTERM");
    const { exitCode, stdout, stderr } = await service;
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
    // For the journal: a line of JSON each.
    for (const line of stderr.split("\n")) expect(JSON.parse(line)).toHaveProperty("msg");
    expect(await inspectContainer(lane.containerName)).toMatchObject({
      Id: lane.container,
      State: { Status: "running" },
    });
    await home.up();
  });

  it("scrapes metrics on both listeners, with the token over TCP", async () => {
    expect((await home.lane(["run", "fix", "--", "true"])).code).toBe(0);
    const { api } = await home.json<ApiStatus>(["status"]);
    const token = (await readFile(join(home.stateDir, "token"), "utf8")).trim();
    const overTcp = await request(`${api}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    expect((await request(`${api}/metrics`)).statusCode).toBe(401);
    const scraped = { status: overTcp.statusCode, text: await overTcp.body.text() };
    for (const { status, text } of [scraped, await overSocket("/metrics")]) {
      expect(status).toBe(200);
      expect(text).toContain('\nlanekeeper_jobs_ended_total{agent="command",outcome="succeeded"} 1\n');
      expect(text).toContain('\nlanekeeper_lanes{state="ready"} 1\n');
      expect(text).not.toMatch(/\bfix\b|\/tmp|\/home/);
    }
  });

  it("makes one lane of 20 requests with one key, also over a restart", async () => {
    const post = async (name: string) => {
      const headers = { "idempotency-key": "once", "content-type": "application/json" };
      const { status, text } = await overSocket("/v1/lanes", { headers, body: JSON.stringify({ name }) });
      return { status, body: JSON.parse(text) as { readonly id: string; readonly code: string } };
    };
    const all = await Promise.all(Array.from({ length: 20 }, () => post("keyed")));
    expect(new Set(all.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    await home.kill9();
    await home.up();
    expect(await post("keyed")).toEqual(all[0]);
    expect(await post("other")).toMatchObject({ status: 422, body: { code: "request.key_conflict" } });
    expect((await home.json<ApiLane[]>(["ls"])).map(({ name }) => name).toSorted()).toEqual(["fix", "keyed"]);
  });
});
