import { expect, it } from "vitest";
import { startModelService } from "./index.ts";
import { isNearby } from "./peers.ts";
import { decide } from "./script.ts";

const KEY = "canary-4f1d";

/** A question in each vendor's words: what was said by the user, turn by turn. */
const ASK = {
  anthropic: (prompts: readonly string[], stream: boolean) => ({
    path: "/v1/messages?beta=true",
    headers: { "x-api-key": KEY },
    body: {
      model: "m",
      stream,
      messages: prompts.map((text) => ({ role: "user", content: [{ type: "text", text }] })),
    },
  }),
  openai: (prompts: readonly string[], stream: boolean) => ({
    path: "/responses",
    headers: { authorization: `Bearer ${KEY}` },
    body: {
      model: "m",
      stream,
      input: prompts.map((text) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] })),
    },
  }),
  gemini: (prompts: readonly string[], stream: boolean) => ({
    path: `/v1beta/models/m:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    headers: { "x-goog-api-key": KEY },
    body: { contents: prompts.map((text) => ({ role: "user", parts: [{ text }] })) },
  }),
};
type Vendor = keyof typeof ASK;

async function ask(base: string, vendor: Vendor, prompts: readonly string[], stream = true, signal?: AbortSignal) {
  const { path, headers, body } = ASK[vendor](prompts, stream);
  const init = {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  return await fetch(`${base}${path}`, { ...init, ...(signal ? { signal } : {}) });
}

it.each(["anthropic", "openai", "gemini"] as const)(
  "%s: answers the newest prompt, streamed and whole",
  async (vendor) => {
    await using service = await startModelService({ host: "127.0.0.1" });
    for (const stream of [true, false]) {
      const prompts = ["@say no", "<system-reminder>@say no</system-reminder>", "say:\n@say yes\n@history"];
      const answer = await ask(service.url(vendor), vendor, prompts, stream);
      expect(answer.status).toBe(200);
      const text = (await answer.text()).replaceAll(/[^\w:; ]/g, "");
      expect(text).toContain("yes");
      expect(text).toMatch(/prompts: .*2; /);
    }
  },
);

it.each(["anthropic", "openai", "gemini"] as const)(
  "%s: an account at its limit gets no answer until the reset",
  async (vendor) => {
    await using service = await startModelService({ host: "127.0.0.1" });
    const url = service.url(vendor);
    const status = async (prompt: string) => (await ask(url, vendor, [prompt])).status;
    expect(await status("@limit 0.3\n@say late")).toBe(429);
    expect(await status("@say now")).toBe(429);
    await expect.poll(() => status("@limit 0.3\n@say late"), { interval: 50 }).toBe(200);
  },
);

it.each(["anthropic", "openai", "gemini"] as const)("%s: cuts a stream in mid-answer", async (vendor) => {
  await using service = await startModelService({ host: "127.0.0.1" });
  const answer = await ask(service.url(vendor), vendor, ["@drop\n@say one two three four"]);
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow();
});

it("fails as often as asked, then goes on", async () => {
  await using service = await startModelService({ host: "127.0.0.1" });
  const statuses: number[] = [];
  for (let n = 0; n < 3; n += 1)
    statuses.push((await ask(service.url("gemini"), "gemini", ["@fail 529 2\n@say x"])).status);
  expect(statuses).toEqual([503, 503, 200]);
});

it("forces answers on one account, until told otherwise", async () => {
  await using service = await startModelService({ host: "127.0.0.1" });
  const url = service.url("openai");
  const other = service.setRule({ credential: "another", failure: { kind: "status", status: 401 } });
  const drop = service.setRule({ credential: KEY, failure: { kind: "status", status: 403 } });
  expect((await ask(url, "openai", ["@say x"])).status).toBe(403);
  drop();
  expect((await ask(url, "openai", ["@say x"])).status).toBe(200);
  other();
});

it("says which requests hold what is looked for", async () => {
  await using service = await startModelService({ host: "127.0.0.1" });
  for (const text of ["first-mark", "second-mark"]) service.lookFor(text);
  for (const prompt of ["@say first-mark", "@say nothing"]) await ask(service.url("openai"), "openai", [prompt]);
  expect(service.requests.map(({ found }) => found)).toEqual([["first-mark"], []]);
});

it("records what came in, but no credential and no prompt", async () => {
  await using service = await startModelService({ host: "127.0.0.1" });
  await ask(service.url("gemini"), "gemini", ["@say secret"]);
  await fetch(`${service.url("anthropic")}/elsewhere?key=${KEY}`);
  await fetch(`${service.url("anthropic")}/v1/messages`, { method: "POST", body: "{}" });
  expect(service.requests).toMatchObject([
    {
      vendor: "gemini",
      method: "POST",
      path: "/v1beta/models/m:streamGenerateContent",
      credential: service.digestOf(KEY),
      status: 200,
    },
    { vendor: null, method: "GET", path: "/elsewhere", credential: null, status: 404 },
    { vendor: "anthropic", path: "/v1/messages", credential: null, status: 401 },
  ]);
  expect(JSON.stringify(service.requests)).not.toMatch(new RegExp(`${KEY}|secret`));
});

it("goes through a script run by run", () => {
  const prompt = "@say first\n@run a\n@fail 500 1\n@run b\n@say last";
  const act = (results: number, spend = () => false) =>
    decide(
      {
        model: "m",
        stream: true,
        tools: [],
        turns: [
          { by: "tool", text: "an older one" },
          { by: "user", text: prompt },
          ...Array.from({ length: results }, () => ({ by: "tool", text: "r" }) as const),
        ],
      },
      spend,
    );
  expect(act(0)).toMatchObject({ kind: "reply", reply: { text: "first", command: "a" } });
  expect(act(1, () => true)).toEqual({ kind: "refuse", failure: { kind: "status", status: 500 } });
  expect(act(1)).toMatchObject({ kind: "reply", reply: { text: "", command: "b" } });
  expect(act(2)).toMatchObject({ kind: "reply", reply: { text: "last", command: null } });
});

it("hangs when told to", async () => {
  await using service = await startModelService({ host: "127.0.0.1" });
  await expect(ask(service.url("gemini"), "gemini", ["@hang"], true, AbortSignal.timeout(300))).rejects.toThrow(
    "timeout",
  );
  expect(service.requests).toMatchObject([{ status: null }]);
});

it("lets in loopback, but no address of the world", () => {
  const answers = ["127.0.0.1", "::ffff:127.0.0.1", "192.0.2.1", "::ffff:192.0.2.1", ""].map(isNearby);
  expect(answers).toEqual([true, true, false, false, false]);
});
