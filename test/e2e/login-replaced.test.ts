import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiInboxItem, ApiJob } from "../../internal/protocol/index.ts";
import { AGENT_CLIS } from "../support/agent-clis.ts";
import { callApi } from "../support/api.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";
import { type ModelService, startModelService } from "../support/model-service/index.ts";
import { newWard, type Ward } from "../support/ward.ts";

/** How a lane calls this machine. */
const HOST = "host.containers.internal";
const FILE = ".claude/.credentials.json";
/** Of one replacement after the other. */
const REPLACEMENTS = 5;
/** At most 2000 is wanted, and the figure is printed; this only tells what hangs, on a machine that has others to run. */
const WITHIN_MS = 10_000;

const accessToken = (of: string) => `canary-access-${of}-58c01f`;
const loginFile = (of: string, refreshToken = `canary-refresh-${of}-58c01f`) =>
  JSON.stringify({
    claudeAiOauth: {
      accessToken: accessToken(of),
      refreshToken,
      expiresAt: Date.now() + 7_200_000,
      scopes: ["user:inference", "user:profile"],
    },
  });

let service: ModelService;
let home: Installation;
let ward: Ward;
let path: string;

beforeAll(async () => {
  service = await startModelService({ host: "0.0.0.0" });
  const env = {
    ANTHROPIC_BASE_URL: service.url("anthropic", HOST),
    CLAUDE_CODE_MAX_RETRIES: "0",
    // Whatever it would ask of its vendor itself, as another token after a 401, ends here.
    HTTPS_PROXY: "http://127.0.0.1:9",
    NO_PROXY: HOST,
  };
  const syncCommand = ["sh", "-c", `test ! -e fetched || mv fetched ${FILE}`];
  home = await newInstallation({
    config: JSON.stringify({ agents: { claude: { credentials: "file", env, syncCommand } } }),
  });
  path = join(home.env.HOME ?? "", FILE);
  await mkdir(dirname(path), { recursive: true });
  await put(loginFile("0"));
  await home.up();
  await home.json(["workspace", "add", await home.repository()]);
  await home.json(["agents", "install", `claude@${AGENT_CLIS.claude.version}`]);
  ward = await newWard(home, "renewed", ["agent=claude"]);
}, 180_000);
afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

/** As Claude Code does: whole, and then in the place of the old one. */
async function put(text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}
const run = (prompt: string) => home.lane(["run", ward.name, prompt]);
const submit = (prompt: string) =>
  callApi<ApiJob>(home, "POST", `/v1/lanes/${ward.born.id}/jobs`, { kind: "prompt", prompt });
const latest = async () => (await home.json<ApiJob[]>(["jobs", ward.name, "-n", "1"]))[0] as ApiJob;
/** The credentials of the requests from number `from` on, one after the other, each once. */
const usedSince = (from: number) => [...new Set(service.requests.slice(from).map(({ credential }) => credential))];
const digest = (of: string) => service.digestOf(accessToken(of));

describe("a login file that is replaced on the host", { timeout: 120_000 }, () => {
  it("is what the next job works under, soon and in the same container", async () => {
    expect(await run("@say zero")).toMatchObject({ code: 0, stdout: "zero\n" });
    expect(usedSince(0)).toEqual([digest("0")]);
    const took: number[] = [];
    for (let i = 1; i <= REPLACEMENTS; i++) {
      const from = service.requests.length;
      const replacedAtMs = Date.now();
      await put(loginFile(`${i}`));
      const { job } = await ward.ended((await submit(`@say ${i}`)).id);
      expect(job).toMatchObject({ state: "succeeded", text: `${i}` });
      expect(usedSince(from)).toEqual([digest(`${i}`)]);
      took.push((service.requests[from]?.atMs ?? 0) - replacedAtMs);
    }
    process.stdout.write(`\nreplaced to first request with the new token: ${took.join(", ")} ms\n`);
    // Most of it is the agent's own start, which a busy machine makes long now and then.
    expect(took.toSorted((a, b) => a - b)[Math.floor(REPLACEMENTS / 2)]).toBeLessThan(WITHIN_MS);
    expect(await ward.now()).toMatchObject({ container: ward.born.container, generation: ward.born.generation });
  });

  it.each([
    ["emptied", "", "is empty"],
    ["cut off", loginFile("cut").slice(0, -9), "is not complete JSON"],
  ])("and is %s is refused: the lane says why, and works on with the good one", async (_, text, reason) => {
    await put(text);
    const refused = await ward.until(
      "refused",
      ({ credentials: { claude } }) => claude?.reason?.includes(reason) === true,
    );
    expect(refused.credentials.claude?.state).toBe("refused");
    expect((await home.lane(["show", ward.name])).stdout).toContain(reason);
    const from = service.requests.length;
    expect(await run("@say still")).toMatchObject({ code: 0, stdout: "still\n" });
    expect(usedSince(from)).toEqual([digest(`${REPLACEMENTS}`)]);
  });
});

describe("a login that has come to its end", { timeout: 120_000 }, () => {
  it.each([
    ["with a refresh token of its own", "own", undefined],
    ["with the same refresh token", "same", "canary-refresh-own-58c01f"],
  ])("is needed: exit code 4 and no further start, until there is another one %s", async (_, next, refreshToken) => {
    const before = (await latest()).id;
    const spent = next === "own" ? "spent" : "own";
    if (next === "own") await replace(loginFile(spent));
    const forgive = service.setRule({ credential: accessToken(spent), failure: { kind: "status", status: 401 } });
    const end = await run("@say never");
    expect(end.code, end.stderr).toBe(4);
    const failed = await latest();
    expect(failed.id).not.toBe(before);
    expect(failed).toMatchObject({ state: "failed", attempt: 1, error: { code: "agent.login" } });
    const countItems = async () => (await home.json<ApiInboxItem[]>(["inbox", "--kind", "login"])).length;
    await eventually(async () => (await countItems()) === 1, { what: "one inbox item about the login" });

    const from = service.requests.length;
    const held = await run("@say later");
    expect([held.code, held.stderr]).toEqual([4, expect.stringContaining("login needed")]);
    const job = await latest();
    expect(job).toMatchObject({ state: "queued", waiting: "login", attempt: 0 });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await ward.job(job.id)).toMatchObject({ state: "queued", waiting: "login", attempt: 0 });
    expect(service.requests.length).toBe(from);

    const replacedAtMs = Date.now();
    await put(loginFile(next, refreshToken));
    const done = await ward.ended(job.id);
    expect(done.job).toMatchObject({ state: "succeeded", text: "later", attempt: 1 });
    expect(usedSince(from)).toEqual([digest(next)]);
    process.stdout.write(`\nresumed after ${(service.requests[from]?.atMs ?? 0) - replacedAtMs} ms\n`);
    expect(await ward.now()).toMatchObject({ container: ward.born.container });
    await eventually(async () => (await countItems()) === 0, { what: "the item to be put away" });
    forgive();
  });

  it("is renewed by the sync command: the job is tried once more, and succeeds", async () => {
    await refuse("same");
    await writeFile(join(home.env.HOME ?? "", "fetched"), loginFile("fetched"));
    const from = service.requests.length;
    const { job } = await ward.ended((await submit("@say fetched")).id);
    await eventually(async () => (await ward.job(job.id)).state === "succeeded", { what: "the second attempt" });
    expect(await ward.job(job.id)).toMatchObject({ state: "succeeded", text: "fetched", attempt: 2 });
    expect(usedSince(from)).toEqual([digest("same"), digest("fetched")]);
  });

  it("is tried just once more when what the sync command brings is refused too", async () => {
    await refuse("fetched");
    await refuse("fetched-too");
    await writeFile(join(home.env.HOME ?? "", "fetched"), loginFile("fetched-too"));
    const from = service.requests.length;
    const job = await submit("@say never");
    await eventually(
      async () => {
        const { state, attempt } = await ward.job(job.id);
        return state === "failed" && attempt === 2;
      },
      { what: "the second failure" },
    );
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(await ward.job(job.id)).toMatchObject({ state: "failed", attempt: 2, error: { code: "agent.login" } });
    expect(usedSince(from)).toEqual([digest("fetched"), digest("fetched-too")]);
  });
});

/** Puts the file there and waits until the lane has it. */
async function replace(text: string): Promise<void> {
  await put(text);
  await ward.until("delivered", ({ credentials }) => credentials.claude?.state === "delivered");
}

async function refuse(of: string): Promise<void> {
  service.setRule({ credential: accessToken(of), failure: { kind: "status", status: 401 } });
}
