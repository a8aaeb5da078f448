import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type InboxBench, openInboxBench } from "../inbox/testing.ts";
import { DEFAULT_SETTINGS } from "../lane/index.ts";
import { createLaneApi } from "./lane-api.ts";
import { type Bench, makeBench } from "./testing.ts";
import { makeLane } from "./testing-values.ts";

let inbox: InboxBench;
let bench: Bench;
let errors: object[];
beforeEach(() => {
  inbox = openInboxBench();
  errors = [];
  // What it opens anew after a death is asked for at each call.
  const jobOf = (laneId: string) => (laneId === "other" ? null : { id: "j1", attempt: 1 });
  bench = makeBench({ inbox: { ...inbox.inbox, jobOf } });
  const main = { ...DEFAULT_SETTINGS, role: "main" as const };
  bench.lanes.splice(
    0,
    1,
    makeLane({ id: "demo" }),
    makeLane({ id: "other", name: "other", branch: "other" }),
    makeLane({ id: "main", name: "main", settings: main }),
  );
});
afterEach(() => inbox[Symbol.dispose]());

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly json: Readonly<Record<string, unknown>> & readonly Readonly<Record<string, unknown>>[];
}

async function call(laneId: string, method: "GET" | "POST", path: string, body?: unknown, key: string | null = null) {
  const log = { debug: () => {}, warn: () => {}, error: (fields: object) => errors.push(fields) };
  const text = typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body);
  const answer = await createLaneApi({ ports: bench.ports, log })({ laneId, method, path, key, body: text });
  return { ...answer, json: JSON.parse(answer.body) as Answer["json"] };
}
const ask = (laneId: string, question: string, key: string | null = null) =>
  call(laneId, "POST", "/v1/lane/ask", { question }, key);

describe("a lane", () => {
  it("hears of itself by the link's word, whatever the call says", async () => {
    const answer = await call("demo", "GET", "/v1/lane/context");
    expect([answer.status, answer.contentType]).toEqual([200, "application/json"]);
    expect(answer.json).toEqual({
      lane: "demo",
      name: "demo",
      workspace: "ws1",
      branch: "demo",
      generation: 3,
      role: "lane",
      job: "j1",
    });
    expect((await call("demo", "GET", "/v1/lane/context?lane=other")).status).toBe(400);
    expect((await call("gone", "GET", "/v1/lane/context")).json.code).toBe("lane.not_found");
  });

  it("asks, and gets the answer of a person", async () => {
    const asked = await call("demo", "POST", "/v1/lane/ask", { question: "Which?", choices: ["a", "b"] }, "k1");
    expect(asked.json).toEqual({ id: asked.json.id, question: "Which?", state: "open", answer: null, by: null });
    const waiting = call("demo", "GET", `/v1/lane/questions/${String(asked.json.id)}?wait=30000`);
    inbox.inbox.answer(String(asked.json.id), "b", "page");
    expect((await waiting).json).toMatchObject({ state: "answered", answer: "b", by: "page" });
    expect(inbox.inbox.get(String(asked.json.id))).toMatchObject({ laneId: "demo", jobId: "j1", delivered: true });
    expect((await ask("demo", "Which else?", "k1")).json.code).toBe("request.key_conflict");
    expect((await call("demo", "GET", `/v1/lane/questions/${String(asked.json.id)}?wait=60001`)).status).toBe(400);
  });

  it("sees neither questions nor tasks of another one; the role main sees all", async () => {
    const { id } = (await ask("demo", "Which?")).json;
    const task = (await call("demo", "POST", "/v1/lane/tasks", { title: "t" })).json;
    const seen = async (laneId: string) => [
      (await call(laneId, "GET", `/v1/lane/questions/${String(id)}`)).status,
      (await call(laneId, "GET", "/v1/lane/tasks")).json.map(({ lane, title }) => `${String(lane)}/${String(title)}`),
      (await call(laneId, "GET", "/v1/lane/lanes")).json.map(({ name }) => name),
    ];
    expect(await seen("demo")).toEqual([200, ["demo/t"], ["demo"]]);
    expect(await seen("other")).toEqual([404, [], ["other"]]);
    expect(await seen("main")).toEqual([200, ["demo/t"], ["demo", "other", "main"]]);
    const finish = async (laneId: string) =>
      (await call(laneId, "POST", `/v1/lane/tasks/${String(task.id)}/done`)).status;
    expect([await finish("other"), await finish("main"), await finish("demo")]).toEqual([404, 404, 200]);
  });

  it("in which no job runs has nobody to tell", async () => {
    for (const [path, body] of [
      ["ask", { question: "q" }],
      ["report", { level: "info", body: "x" }],
      ["tasks", { title: "t" }],
    ] as const) {
      expect((await call("other", "POST", `/v1/lane/${path}`, body)).json.code).toBe("job.not_running");
    }
  });

  it("has tasks listed as far as they fit into a frame", async () => {
    for (let i = 0; i < 20; i++)
      await call("demo", "POST", "/v1/lane/tasks", { title: `t${i}`, body: "\u0001".padEnd(60_000, "ü") });
    const listed = await call("main", "GET", "/v1/lane/tasks");
    expect([listed.json.length, listed.json[0]?.title, String(listed.json[0]?.body).length]).toEqual([20, "t19", 2000]);
    expect(JSON.stringify(listed.body).length).toBeLessThan(1024 * 1024);
  });

  it("reports", async () => {
    const said = await call("demo", "POST", "/v1/lane/report", { level: "blocked", body: "no key", files: ["a.txt"] });
    expect(said.json).toEqual({ level: "blocked", item: inbox.inbox.list({ limit: 1 })[0]?.id });
    expect((await call("demo", "POST", "/v1/lane/report", { level: "info", body: "x" })).json.item).toBeNull();
    expect(inbox.words.map(({ type }) => type)).toEqual(["report", "ask", "report"]);
  });
});

describe("calls that are not fit", () => {
  it.each([
    ["POST", "/v1/lane/ask", "{", 400],
    ["POST", "/v1/lane/ask", "", 400],
    ["POST", "/v1/lane/ask", { question: "" }, 400],
    ["POST", "/v1/lane/ask", { question: "q", lane: "other" }, 400],
    ["POST", "/v1/lane/ask", { question: "q".repeat(501) }, 400],
    ["POST", "/v1/lane/ask", { question: "q", choices: Array.from({ length: 10 }, (_, i) => `${i}`) }, 400],
    ["POST", "/v1/lane/report", { level: "alarm", body: "x" }, 400],
    ["POST", "/v1/lane/report", { level: "info", body: "x", files: ["../../etc/passwd"] }, 400],
    ["GET", "/v1/lane/tasks?lane=other", undefined, 400],
    ["GET", "/v1/lane/questions/../../inbox", undefined, 404],
    ["GET", "/v1/lane/questions/%30", undefined, 404],
    ["GET", "/v1/lanes", undefined, 404],
    ["GET", "/v1/inbox", undefined, 404],
    ["POST", "/v1/lane/context", {}, 404],
    ["GET", "/v1/lane/../lanes", undefined, 404],
    ["POST", "/v1/shutdown", {}, 404],
  ] as const)("%s %s %j", async (method, path, body, status) => {
    const answer = await call("demo", method, path, body);
    expect([answer.status, answer.contentType]).toEqual([status, "application/problem+json"]);
    expect([inbox.inbox.countOpen(), bench.calls, errors]).toEqual([0, [], []]);
  });

  it("hear nothing of what went wrong on the host", async () => {
    bench.fail("lanes.list", new Error("ENOENT /home/me/secret"));
    const answer = await call("demo", "GET", "/v1/lane/lanes");
    expect([answer.status, answer.contentType]).toEqual([500, "application/problem+json"]);
    expect(answer.body).not.toContain("secret");
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ lane: "demo", requestId: answer.json.requestId });
  });
});
