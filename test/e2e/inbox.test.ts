import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type {
  ApiDrift,
  ApiFeedEntry,
  ApiInboxItem,
  ApiInboxPage,
  ApiJob,
  ApiJobEvent,
  ApiLane,
  ApiTask,
} from "../../internal/protocol/index.ts";
import { callApi } from "../support/api.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";
import { newWard, type Ward } from "../support/ward.ts";

/** What agents do by `inbox`: calls over the worker's relay. */
const PRELUDE = `
const call = async (path, body, key) => {
  const headers = { "content-type": "application/json", ...(key ? { "idempotency-key": key } : {}) };
  const init = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await fetch(process.env.INBOX_API_URL + path, init);
  return { status: answer.status, json: await answer.json() };
};
const answerTo = async (id) => {
  for (;;) {
    const { status, json } = await call("/v1/lane/questions/" + id + "?wait=20000").catch(() => ({ status: 0 }));
    if (status === 200 && json.state !== "open") return json;
    if (status !== 200) await new Promise((done) => setTimeout(done, 200));
  }
};
`;

describe("the inbox", { timeout: 120_000 }, () => {
  let home: Installation;
  let ward: Ward;

  beforeAll(async () => {
    home = await newInstallation({ config: "agent: shell\ntimeouts: { relist: 1s }\n" });
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
    ward = await newWard(home, "asks", ["drift=hold"]);
  }, 120_000);
  afterAll(() => home?.[Symbol.asyncDispose]());

  const items = async (query = "") => (await callApi<ApiInboxPage>(home, "GET", `/v1/inbox${query}`)).items;
  const answer = (item: ApiInboxItem, text: string) =>
    callApi<ApiInboxItem>(home, "POST", `/v1/inbox/${item.id}/answer`, { answer: text });
  const submit = (script: string) =>
    callApi<ApiJob>(home, "POST", `/v1/lanes/${ward.born.id}/jobs`, {
      kind: "command",
      argv: ["node", "--input-type=module", "-e", PRELUDE + script],
    });
  const show = (job: ApiJob) => callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`);
  const outputOf = async (job: ApiJob) =>
    (await callApi<ApiJobEvent[]>(home, "GET", `/v1/jobs/${job.id}/events`))
      .map((event) => (event.type === "output" ? event.text : ""))
      .join("");
  const opened = (kind: string) =>
    eventually(async () => (await items()).find((item) => item.kind === kind), { what: `an item of kind ${kind}` });
  const ended = (job: ApiJob) =>
    eventually(async () => (await show(job)).endedAt !== null && show(job), {
      what: "the job's end",
      withinMs: 60_000,
    });

  it("brings a person's answer to the job that asked, though the daemon died in between", async () => {
    const job = await submit(`
      const asked = await call("/v1/lane/ask", { question: "Which colour?", choices: ["red", "blue"] }, "k1");
      console.log((await answerTo(asked.json.id)).answer);`);
    const item = await opened("question");
    expect(item).toMatchObject({ title: "Which colour?", laneName: "asks", job: job.id, choices: ["red", "blue"] });
    await home.kill9();
    await home.up();
    expect((await items()).map(({ id }) => id)).toEqual([item.id]);
    expect(await answer(item, "blue")).toMatchObject({ state: "answered", by: "cli" });
    await expect(answer(item, "red")).rejects.toThrow(/409.*inbox\.answered/);
    expect(await ended(job)).toMatchObject({ state: "succeeded", attempt: 1 });
    expect(await outputOf(job)).toBe("blue\n");
    expect(await callApi(home, "GET", `/v1/inbox/${item.id}`)).toMatchObject({ delivered: true });
    const feed = await callApi<ApiFeedEntry[]>(home, "GET", "/v1/events?follow=0&after=0");
    expect(
      feed.flatMap(({ type, data }) => (type.startsWith("inbox.") ? [`${type} ${String(data.state)}`] : [])),
    ).toEqual(["inbox.opened open", "inbox.changed answered", "inbox.changed answered"]);
  });

  it("wakes a turn that ended with a question, whose lane was stopped and whose daemon died meanwhile", async () => {
    const script = `${PRELUDE}
      await call("/v1/lane/ask", { question: "Go on?" }, "k1b");`;
    const prompt = [
      'if [ -n "$INBOX_ANSWER" ]; then echo "got $INBOX_ANSWER"; exit 0; fi',
      `node --input-type=module <<'END'\n${script}\nEND`,
    ].join("\n");
    const body = { kind: "prompt", prompt, agent: "shell" };
    const job = await callApi<ApiJob>(home, "POST", `/v1/lanes/${ward.born.id}/jobs`, body);
    const item = await opened("question");
    await eventually(async () => (await show(job)).state === "awaiting_answer", { what: "the job to wait" });
    await home.json(["stop", ward.name]);
    await home.kill9();
    await home.up();
    await answer(item, "yes, do");
    expect(await ended(job)).toMatchObject({ state: "succeeded", attempt: 2 });
    expect(await outputOf(job)).toContain("got yes, do\n");
    expect(await callApi(home, "GET", `/v1/inbox/${item.id}`)).toMatchObject({ state: "answered", delivered: true });
  });

  it("has one row for 100 posts with one key, and tells nothing of other lanes", async () => {
    const job = await submit(`
      const ids = new Set();
      for (let i = 0; i < 5; i++) {
        const all = Array.from({ length: 20 }, () => call("/v1/lane/ask", { question: "Once?" }, "k2"));
        for (const { json } of await Promise.all(all)) ids.add(json.id);
      }
      const other = await call("/v1/lane/ask", { question: "Twice?" }, "k2");
      const lanes = await call("/v1/lane/lanes");
      const strange = await call("/v1/lane/questions/01aaaaaaaaaaaaaaaaaaaaaaaa");
      const inbox = await fetch(process.env.INBOX_API_URL + "/v1/inbox");
      const context = await call("/v1/lane/context");
      console.log(JSON.stringify([ids.size, other.status, lanes.json.map(({ name }) => name), strange.status, inbox.status, context.json.role]));`);
    expect(await ended(job)).toMatchObject({ state: "succeeded" });
    expect(JSON.parse(await outputOf(job))).toEqual([1, 422, ["asks"], 404, 404, "lane"]);
    // Its asker has gone: nobody waits for an answer.
    expect((await items("?state=done&kind=question")).map(({ title, by }) => `${title} ${by}`)).toEqual([
      "Once? system",
      "Go on? cli",
      "Which colour? cli",
    ]);
  });

  it("takes reports and proposals; what a person accepts is done", async () => {
    const job = await submit(`
      await call("/v1/lane/report", { level: "done", body: "all is well", files: ["hello.txt"] }, "r1");
      const task = await call("/v1/lane/tasks", { title: "echo the task", body: "echo is done > left.txt" }, "t1");
      console.log(task.json.state);`);
    expect(await ended(job)).toMatchObject({ state: "succeeded", summary: "all is well", text: "all is well" });
    const log = await callApi<ApiJobEvent[]>(home, "GET", `/v1/jobs/${job.id}/events`);
    expect(log.filter(({ type }) => type === "report")).toMatchObject([{ level: "done", files: ["hello.txt"] }]);
    const proposal = await opened("approval");
    expect(proposal).toMatchObject({ title: "echo the task", choices: ["accept", "reject"] });
    await answer(proposal, "accept");
    const [done] = await eventually(
      async () => {
        const jobs = await callApi<ApiJob[]>(home, "GET", `/v1/lanes/${ward.born.id}/jobs`);
        const mine = jobs.filter(({ key }) => key === `task:${String(proposal.data.task)}`);
        return mine.some(({ state }) => state === "succeeded") && mine;
      },
      { what: "the task's job", withinMs: 30_000 },
    );
    expect(done).toMatchObject({ kind: "prompt", prompt: "echo the task\n\necho is done > left.txt" });
    const review = await opened("review");
    expect(review).toMatchObject({ title: "asks: 1 file not committed to review", data: { files: ["left.txt"] } });
    await callApi(home, "POST", `/v1/inbox/${review.id}/done`);
    const look = await submit(`console.log(JSON.stringify((await call("/v1/lane/tasks")).json));`);
    await ended(look);
    expect(JSON.parse(await outputOf(look)) as ApiTask[]).toMatchObject([
      { state: "done", lane: "asks", parent: job.id, job: done?.id },
    ]);
  });

  it("says that a job failed until it is tried again, and that a drift is held until it is recreated", async () => {
    const job = await submit(`
      import { existsSync, writeFileSync } from "node:fs";
      if (existsSync("/tmp/second")) process.exit(0);
      writeFileSync("/tmp/second", "");
      process.exit(3);`);
    const item = await opened("failed");
    expect(item).toMatchObject({ job: job.id, data: { code: "exit", attempt: 1 }, choices: ["retry"] });
    await answer(item, "retry");
    await eventually(async () => (await show(job)).state === "succeeded", { what: "the second attempt" });
    await home.json(["set", ward.name, "env.COLOR=red"]);
    const drift = await opened("drift");
    expect(drift.title).toContain("env.COLOR");
    expect((await home.json<ApiDrift>(["drift", ward.name])).action).toBe("held");
    await answer(drift, "recreate");
    const lane: ApiLane = await ward.readyAs(2);
    expect(lane.drift).toEqual([]);
    expect(await items()).toEqual([]);
  });
});
