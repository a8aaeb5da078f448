import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../base/index.ts";
import { runInbox } from "./index.ts";

const CONTEXT = { lane: "demo-01", name: "demo", branch: "demo", generation: 2, job: null };
const OPEN = { id: "q1", question: "Go on?", state: "open", answer: null, by: null };
const ANSWERED = { ...OPEN, state: "answered", answer: "yes", by: "page" };
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Seen {
  readonly call: string;
  readonly key: string | undefined;
  readonly body: unknown;
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  cleanups.push(() => server.close().closeAllConnections());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A host that gives these answers in turn, the last one for ever; what is no answer is a broken connection. */
async function host(...answers: readonly (object | { readonly status: number } | null)[]) {
  const seen: Seen[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request);
    const key = request.headers["idempotency-key"] as string | undefined;
    seen.push({ call: `${request.method} ${request.url}`, key, body: body === "" ? null : JSON.parse(body) });
    const next = answers[Math.min(seen.length, answers.length) - 1] ?? null;
    if (next === null) return response.destroy();
    const status = "status" in next && typeof next.status === "number" ? next.status : 200;
    return response.writeHead(status).end(JSON.stringify(next));
  };
  const url = await serve((request, response) => void answer(request, response));
  return { url, seen };
}

async function inbox(argv: readonly string[], apiUrl?: string, more: { budgetMs?: number; stdin?: string } = {}) {
  let out = "";
  let err = "";
  let keys = 0;
  const code = await runInbox(argv, {
    apiUrl,
    budgetMs: more.budgetMs ?? 1000,
    clock: systemClock,
    readStdin: async () => more.stdin ?? "",
    newKey: () => `key-${++keys}`,
    cwd: "/workspace/sub",
    workspace: "/workspace",
    out: (data) => {
      out += data;
    },
    err: (data) => {
      err += data;
    },
  });
  return { code, out, err };
}

describe("inbox", () => {
  it("shows the lane's context and the lanes, as text and as JSON", async () => {
    const { url, seen } = await host(CONTEXT);
    expect(await inbox(["context"], url)).toEqual({
      code: 0,
      out: "lane        demo-01\nname        demo\nbranch      demo\ngeneration  2\njob         -\n",
      err: "",
    });
    expect(JSON.parse((await inbox(["context", "--json"], url)).out)).toEqual(CONTEXT);
    expect(seen.map(({ call }) => call)).toEqual(["GET /v1/lane/context", "GET /v1/lane/context"]);
    const lane = { name: "demo", workspace: "w", branch: "b", state: "ready", job: "j1", queued: 2 };
    const lanes = await host([lane]);
    expect((await inbox(["lanes"], lanes.url)).out).toBe("demo  ready  b  job j1, 2 queued\n");
  });

  it("waits while the host restarts", async () => {
    const { url, seen } = await host(null, { status: 503 }, { status: 429, retry: "retryable" }, CONTEXT);
    expect(await inbox(["context"], url, { budgetMs: 5000 })).toMatchObject({ code: 0 });
    expect(seen.length).toBe(4);
  });

  it("gives up with 6 after its budget, and passes refusals on", async () => {
    const gone = await inbox(["context"], "http://127.0.0.1:1", { budgetMs: 200 });
    expect(gone).toMatchObject({ code: 6, out: "", err: expect.stringContaining("not reachable") });
    const refusals: readonly (readonly [number, number])[] = [
      ...[[400, 2] as const, [404, 3] as const, [409, 5] as const, [422, 5] as const, [429, 1] as const],
      ...[[500, 1] as const, [507, 1] as const],
    ];
    for (const [status, code] of refusals) {
      const { url, seen } = await host({ status, detail: "no", hint: "do this" });
      expect([status, await inbox(["context"], url)]).toEqual([
        status,
        { code, out: "", err: "inbox: no\nnext: do this\n" },
      ]);
      expect(seen.length).toBe(1);
    }
  });

  it("prints its help, and refuses what it does not understand before it calls anybody", async () => {
    expect(await inbox(["ask", "--help"])).toMatchObject({ code: 0, out: expect.stringContaining("inbox ask") });
    const wrong = [
      ...[[], ["nonsense"], ["context", "--yaml"], ["context", "x"], ["context"], ["lanes", "x"], ["task"]],
      ...[["ask"], ["ask", " "], ["ask", "a", "b"], ["ask", "a", "--wait", "soon"], ["ask", "a", "--choice"]],
      ...[
        ["ask", "a", "--urgency", "now"],
        ["ask", "a", "--no-wait", "--wait", "1s"],
        ["ask", "--id", "../x"],
      ],
      ...[
        ["ask", "a", "--id", "q1"],
        ["report", "a", "--level", "bad"],
        ["report", "a", "b"],
        ["report", "-"],
      ],
      ...[
        ["task", "create", ""],
        ["task", "done", "a/b"],
        ["task", "done"],
        ["task", "ls", "x"],
      ],
    ];
    for (const argv of wrong) {
      const end = await inbox(argv);
      expect([argv, end]).toMatchObject([argv, { code: 2, out: "", err: expect.stringMatching(/./) }]);
    }
  });
});

describe("inbox ask", () => {
  it("puts the question with all that belongs to it, waits on, and prints the answer alone", async () => {
    const { url, seen } = await host(OPEN, OPEN, ANSWERED);
    const argv = ["ask", "Go on?", "--choice", "yes", "--choice", "no", "--urgency", "high", "--body", "-"];
    const more = ["--default", "no", "--expires", "2h", "--wait", "5s"];
    expect(await inbox([...argv, ...more], url, { stdin: "because\n" })).toEqual({ code: 0, out: "yes\n", err: "" });
    expect(seen[0]).toEqual({
      call: "POST /v1/lane/ask",
      key: "key-1",
      body: {
        question: "Go on?",
        body: "because\n",
        choices: ["yes", "no"],
        default: "no",
        urgency: "high",
        expiresMs: 7_200_000,
      },
    });
    expect(seen.slice(1).every(({ call }) => /^GET \/v1\/lane\/questions\/q1\?wait=\d+$/.test(call))).toBe(true);
  });

  it("asks once, however often it has to be sent", async () => {
    const { url, seen } = await host(null, { status: 503 }, OPEN, null, { status: 504 }, ANSWERED);
    expect(await inbox(["ask", "Go on?"], url, { budgetMs: 10_000 })).toMatchObject({ code: 0, out: "yes\n" });
    expect(seen.slice(0, 3).map(({ key }) => key)).toEqual(["key-1", "key-1", "key-1"]);
    expect(seen.filter(({ call }) => call.startsWith("POST")).length).toBe(3);
    const own = await host(ANSWERED);
    await inbox(["ask", "Go on?", "--key", "mine"], own.url);
    expect(own.seen[0]?.key).toBe("mine");
  });

  it("without waiting prints the question's id and ends with 8", async () => {
    const { url, seen } = await host(OPEN);
    expect(await inbox(["ask", "Go on?", "--no-wait"], url)).toEqual({ code: 8, out: "q1\n", err: "" });
    expect(JSON.parse((await inbox(["ask", "Go on?", "--no-wait", "--json"], url)).out)).toEqual(OPEN);
    expect(seen.length).toBe(2);
  });

  it("ends with 7 when nobody answers in time, and says how to go on", async () => {
    const { url } = await host(OPEN);
    const end = await inbox(["ask", "Go on?", "--wait", "30ms"], url);
    expect(end).toMatchObject({ code: 7, out: "" });
    expect(end.err).toContain("inbox ask --id q1");
    for (const state of ["expired", "done"] as const) {
      const over = await host(OPEN, { ...OPEN, state });
      expect(await inbox(["ask", "Go on?"], over.url)).toMatchObject({
        code: 7,
        out: "",
        err: expect.stringContaining("q1"),
      });
    }
  });

  it("uses its default when the waiting is over, and says so", async () => {
    const { url, seen } = await host(OPEN, { ...ANSWERED, answer: "no", by: "default" });
    const end = await inbox(["ask", "Go on?", "--default", "no", "--wait", "3s"], url);
    expect(end).toMatchObject({ code: 0, out: "no\n", err: expect.stringContaining("default is used") });
    expect(seen[0]?.body).toMatchObject({ expiresMs: 3000 });
    await inbox(["ask", "Go on?", "--default", "no", "--no-wait"], url);
    expect(seen.at(-1)?.body).not.toHaveProperty("expiresMs");
  });

  it("waits on for a question of before, also with the host away", async () => {
    const { url, seen } = await host(null, OPEN, ANSWERED);
    expect(await inbox(["ask", "--id", "q1", "--json"], url)).toMatchObject({
      code: 0,
      out: `${JSON.stringify(ANSWERED)}\n`,
    });
    expect(seen.every(({ call }) => call.startsWith("GET /v1/lane/questions/q1?"))).toBe(true);
    const gone = await inbox(["ask", "--id", "q1", "--wait", "10ms"], "http://127.0.0.1:1", { budgetMs: 100 });
    expect(gone).toMatchObject({ code: 6, err: expect.stringContaining("inbox ask --id q1") });
  });

  it("keeps a long question whole, as context", async () => {
    const { url, seen } = await host(ANSWERED);
    const long = `${"x".repeat(600)}\nmore`;
    await inbox(["ask", "-"], url, { stdin: long });
    const { question, body } = (seen[0]?.body ?? {}) as { question?: string; body?: string };
    expect([question?.length, body]).toEqual([500, long]);
  });
});

describe("inbox report and task", () => {
  it("tells people, with files by their path in the work tree", async () => {
    const { url, seen } = await host({ level: "done", item: null });
    const argv = ["report", "--level", "done", "--file", "a.txt", "--file", "/workspace/b", "-"];
    expect(await inbox(argv, url, { stdin: "all done" })).toEqual({ code: 0, out: "", err: "" });
    expect(seen[0]).toEqual({
      call: "POST /v1/lane/report",
      key: "key-1",
      body: { level: "done", body: "all done", files: ["sub/a.txt", "b"] },
    });
  });

  it("proposes, lists and ends tasks", async () => {
    const task = { id: "t1", lane: "demo", parent: null, job: null, title: "Tidy up", body: "", state: "proposed" };
    const one = await host(task);
    expect((await inbox(["task", "create", "Tidy up", "--body", "all"], one.url)).out).toBe("t1 proposed\n");
    expect((await inbox(["task", "done", "t1"], one.url)).code).toBe(0);
    expect(one.seen.map(({ call, body }) => [call, body])).toEqual([
      ["POST /v1/lane/tasks", { title: "Tidy up", body: "all" }],
      ["POST /v1/lane/tasks/t1/done", {}],
    ]);
    const many = await host([task]);
    expect((await inbox(["task", "ls"], many.url)).out).toBe("t1  proposed  demo  Tidy up\n");
    expect(JSON.parse((await inbox(["task", "ls", "--json"], many.url)).out)).toEqual([task]);
  });
});
