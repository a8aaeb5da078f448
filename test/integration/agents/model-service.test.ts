import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CliName } from "../../support/agent-clis.ts";
import { FULL } from "../../support/full.ts";
import { eventually } from "../../support/installation.ts";
import { type CliScene, newCliScene } from "./cli-scene.ts";

/** What each CLI makes of a refusal: its exit code, and words of its stream. */
const REFUSALS: Readonly<Record<CliName, readonly (readonly [prompt: string, exitCode: number, says: string])[]>> = {
  claude: [
    ["@fail 401", 1, '"api_error_status":401'],
    ["@fail 429", 1, '"error":"rate_limit"'],
    ["@fail 529", 1, '"api_error_type":"overloaded_error"'],
  ],
  codex: [
    ["@fail 401", 1, "unexpected status 401 Unauthorized"],
    ["@fail 429", 1, "last status: 429"],
    ["@fail 529", 1, "at capacity"],
  ],
  gemini: [
    ["@fail 401", 145, "UNAUTHENTICATED"],
    ["@fail key", 144, "API_KEY_INVALID"],
    ["@fail 429", 173, "Please retry in 1s"],
    ["@fail 529", 247, "The model is overloaded"],
  ],
};

/** What each CLI says of a spent allowance. */
const AT_LIMIT: Readonly<Record<CliName, RegExp>> = {
  claude: /"status":"rejected","resetsAt":\d{10},/,
  codex: /hit your usage limit.*try again at/,
  gemini: /exhausted your daily quota/,
};

/** Takes 10 s at 200 ms each. All differ, or the Gemini CLI calls it a loop and ends by itself. */
const WORDS = Array.from({ length: 50 }, (_, index) => `word${index}`);

/** After SIGINT. */
const INTERRUPTED: Readonly<Record<CliName, number>> = { claude: 0, codex: 1, gemini: 0 };

/** The others speak to it in lanes as well: see test/e2e/real-agents.test.ts. */
const NAMES: readonly CliName[] = FULL ? ["claude", "codex", "gemini"] : ["claude"];

describe.each(NAMES)("the real %s", (name) => {
  let scene: CliScene;
  let session = "";

  beforeAll(async () => {
    scene = await newCliScene(name);
  }, 180_000);
  afterAll(() => scene?.[Symbol.asyncDispose]());

  const run = (prompt: string, opts?: { readonly resume: string }) => scene.start(prompt, opts).end;

  it("says what it is told", async () => {
    const end = await run("@say hello from the stand-in");
    expect(end).toMatchObject({ exitCode: 0, text: "hello from the stand-in" });
    expect(scene.service.requests.every((one) => one.credential === scene.service.digestOf(scene.key))).toBe(true);
  });

  it("edits a file by a command, and answers when the result is there", async () => {
    const end = await run(`@run echo alpha > ${name}.txt && echo written; echo twice\n@usage 11 22`);
    expect(end).toMatchObject({ exitCode: 0, text: "done: written\ntwice" });
    expect(end.stdout).toMatch(/"input_tokens":(22|32),/);
    expect(await readFile(join(scene.repo, `${name}.txt`), "utf8")).toBe("alpha\n");
    session = end.session;
  });

  it("goes on with the session and its history", async () => {
    const end = await run("@history", { resume: session });
    expect(end).toMatchObject({
      exitCode: 0,
      session,
      text: expect.stringMatching(/^prompts: 2; first: @run echo alpha > /),
    });
  });

  it.each(REFUSALS[name])("fails as with the vendor: %s", async (prompt, exitCode, says) => {
    const end = await run(prompt);
    expect(end.stdout).toContain(says);
    expect(end.exitCode).toBe(exitCode);
  });

  it("meets the account's limit, and is served after its end", async () => {
    const prompt = "@limit 3\n@say after the limit";
    const refused = await run(prompt);
    expect(refused.stdout).toMatch(AT_LIMIT[name]);
    expect(refused.exitCode).not.toBe(0);
    await eventually(async () => (await run(prompt)).text === "after the limit", { what: "the end of the limit" });
  });

  it("is cancelled by SIGINT in mid-answer, and leaves no process", async () => {
    const { requests } = scene.service;
    const before = requests.length;
    const running = scene.start(`@slow 200\n@say ${WORDS.join(" ")}`);
    const answers = () => requests.slice(before).some((one) => one.status === 200 && !one.path.includes("lite"));
    await eventually(answers, { what: "an answer under way" });
    expect(await running.processes()).not.toEqual([]);
    process.kill(running.pid, "SIGINT");
    const end = await running.end;
    expect(end.exitCode).toBe(INTERRUPTED[name]);
    expect(end.text).not.toContain(WORDS.at(-1));
    await eventually(async () => (await running.processes()).length === 0, { what: "the end of all processes" });
  });
});
