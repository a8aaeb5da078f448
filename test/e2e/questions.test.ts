import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiInboxItem, ApiInboxPage, ApiJob, ApiJobEvent } from "../../internal/protocol/index.ts";
import { AGENT_CLIS } from "../support/agent-clis.ts";
import { callApi } from "../support/api.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";
import { type ModelService, startModelService } from "../support/model-service/index.ts";
import { newWard, type Ward } from "../support/ward.ts";

/** How a lane calls this machine. */
const HOST = "host.containers.internal";
const ENDS = ["succeeded", "failed", "cancelled", "lost"];

let service: ModelService;
let home: Installation;
let ward: Ward;

beforeAll(async () => {
  service = await startModelService({ host: "0.0.0.0" });
  const env = `{ ANTHROPIC_BASE_URL: "${service.url("anthropic", HOST)}", CLAUDE_CODE_MAX_RETRIES: "0" }`;
  home = await newInstallation({
    config: `agents:\n  claude: { env: ${env} }\n`,
    env: { CLAUDE_CODE_OAUTH_TOKEN: "key-canary-claude-0a51" },
  });
  await home.up();
  await home.json(["workspace", "add", await home.repository()]);
  await home.json(["agents", "install", `claude@${AGENT_CLIS.claude.version}`]);
  ward = await newWard(home, "curious", ["agent=claude"]);
}, 180_000);
afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

const submit = (prompt: string, agent = "claude") =>
  callApi<ApiJob>(home, "POST", `/v1/lanes/${ward.born.id}/jobs`, { kind: "prompt", prompt, agent });
const answer = (item: ApiInboxItem, text: string) =>
  callApi<ApiInboxItem>(home, "POST", `/v1/inbox/${item.id}/answer`, { answer: text });
const job = (id: string) => callApi<ApiJob>(home, "GET", `/v1/jobs/${id}`);
const eventsOf = (id: string) => callApi<ApiJobEvent[]>(home, "GET", `/v1/jobs/${id}/events`);
/** The question that the job has asked, once it is there. */
const asked = (id: string) =>
  eventually(
    async () => (await callApi<ApiInboxPage>(home, "GET", "/v1/inbox")).items.find((item) => item.job === id) ?? null,
    { what: `the question of job ${id}`, withinMs: 60_000 },
  );
const until = (id: string, states: readonly string[]) =>
  eventually(
    async () => {
      const now = await job(id);
      return states.includes(now.state) ? now : null;
    },
    { what: `job ${id} to be ${states.join(" or ")}`, withinMs: 60_000 },
  );
const restart = async () => {
  await home.kill9();
  await home.up();
};

describe("the real claude in a real lane", { timeout: 150_000 }, () => {
  it("asks amid its turn, and goes on in it with the answer, over a death of laned in between", async () => {
    const { id } = await submit('@run inbox ask "Left or right?" --choice left --choice right --wait 90s');
    const item = await asked(id);
    expect(item).toMatchObject({
      kind: "question",
      title: "Left or right?",
      choices: ["left", "right"],
      laneName: ward.name,
      state: "open",
    });
    await restart();
    expect(await until(id, ["running"])).toMatchObject({ question: item.id, detail: "waits for an answer" });
    await answer(item, "left");
    const end = await until(id, ENDS);
    expect(end).toMatchObject({ state: "succeeded", attempt: 1, text: "done: left", question: null });
    expect(await callApi(home, "GET", `/v1/inbox/${item.id}`)).toMatchObject({ state: "answered", delivered: true });
  });

  it("asks and ends its turn: it is woken in its session with the answer, over a death of laned in between", async () => {
    const told = "You asked: Which colour?";
    service.lookFor(told);
    const run = await home.lane(["run", ward.name, '@run inbox ask "Which colour?" --no-wait']);
    const [first] = await home.json<ApiJob[]>(["jobs", ward.name, "-n", "1"]);
    const { id, session, question } = first as ApiJob;
    expect(run).toMatchObject({ code: 8, stderr: expect.stringContaining("Which colour?") });
    expect(run.stderr).toContain(`lane answer ${question}`);
    expect(first).toMatchObject({ state: "awaiting_answer", attempt: 1, exitCode: null });
    expect(session).toMatch(/^[0-9a-f-]{36}$/);
    await restart();
    expect((await home.lane(["run", ward.name, "--", "true"])).code).toBe(0);
    expect((await home.lane(["job", "wait", id])).code).toBe(8);

    const before = service.requests.length;
    const item = await asked(id);
    expect(item.id).toBe(question);
    // Its last line is for the stand-in: it tells which prompts it was given.
    await answer(item, "a deep blue\n@history");
    const end = await until(id, ENDS);
    expect(end).toMatchObject({ state: "succeeded", attempt: 2, session, question: null });
    expect(end.text).toMatch(/^prompts: 2; first: @run inbox ask /);
    const tools = (await eventsOf(id)).filter((event) => event.type === "tool_started");
    expect(tools.map(({ attempt }) => attempt)).toEqual([1]);
    expect(service.requests.slice(before).some(({ found }) => found.includes(told))).toBe(true);
  });

  it("cancelled while it waits is over, and so is its question", async () => {
    const { id } = await submit('@run inbox ask "Really?" --no-wait');
    const waiting = await until(id, ["awaiting_answer", ...ENDS]);
    expect(waiting.state).toBe("awaiting_answer");
    await home.json(["job", "cancel", id]);
    expect(await job(id)).toMatchObject({ state: "cancelled", question: null });
    const item = await callApi<ApiInboxItem>(home, "GET", `/v1/inbox/${waiting.question}`);
    expect(item).toMatchObject({ state: "done", by: "system" });
    expect((await home.lane(["answer", item.id, "yes"])).code).toBe(5);
  });
});

describe("a script", { timeout: 90_000 }, () => {
  it("runs again with the answer at hand, and its report is the job's summary", async () => {
    const script = [
      'commit() { git -c user.name=t -c user.email=t@example.com commit -q --allow-empty -m "$1"; }',
      'if [ -z "$INBOX_QUESTION" ]; then commit before; inbox ask "How many?" --no-wait || exit 0; fi',
      'commit after; echo "$INBOX_ANSWER" >> counted.txt',
      'inbox report --level done --file counted.txt "counted $(wc -l < counted.txt) time: $INBOX_ANSWER"',
    ].join("\n");
    const { id } = await submit(script, "shell");
    await answer(await asked(id), "it's 7");
    const end = await until(id, ENDS);
    expect(end).toMatchObject({ state: "succeeded", attempt: 2, summary: "counted 1 time: it's 7" });
    // What it committed before it asked is its work as well.
    const commits = async () => (await job(id)).git?.commits.length === 2;
    await eventually(commits, { what: "the commits of both attempts", withinMs: 30_000 });
  });

  it("uses its default when nobody answers in time", async () => {
    const { id } = await submit('inbox ask "Now?" --default later --wait 1s', "shell");
    expect(await until(id, ENDS)).toMatchObject({ state: "succeeded", text: "later\n" });
    expect(JSON.stringify(await eventsOf(id))).toContain("the default is used");
  });
});
