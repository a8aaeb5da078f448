import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiJob, ApiJobEvent } from "../../internal/protocol/api.ts";
import { AGENT_CLIS, type CliName } from "../support/agent-clis.ts";
import { callApi } from "../support/api.ts";
import { FULL } from "../support/full.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";
import { listMarked } from "../support/marked.ts";
import { type ModelService, startModelService } from "../support/model-service/index.ts";
import { newWard, type Ward } from "../support/ward.ts";

/** The machine may have no identity. */
const AS = "-c user.name=t -c user.email=t@example.com";

/** How a lane calls this machine. */
const HOST = "host.containers.internal";
const KEYS: Readonly<Record<CliName, string>> = {
  claude: "key-canary-claude-5c2f",
  codex: "key-canary-codex-5c2f",
  gemini: "key-canary-gemini-5c2f",
};

/** The prompt, the kind of failure that is to be found in it, and for whom. */
const FAILURES: readonly (readonly [prompt: string, kind: string, agents: readonly CliName[]])[] = [
  ["@fail 401", "agent.login", ["claude", "codex", "gemini"]],
  ["@fail 529", "agent.overload", ["claude", "codex", "gemini"]],
  ["@fail 400", "agent.refused", ["claude", "codex", "gemini"]],
  ["@drop\n@say one two three four five six seven eight", "agent.network", ["codex", "gemini"]],
];

/** How long the stand-in refuses the account. */
const LIMIT_S = 5;

let service: ModelService;
let home: Installation;
const table: string[] = [];

beforeAll(async () => {
  service = await startModelService({ host: "0.0.0.0" });
  home = await newInstallation({
    config: toConfig(service),
    env: {
      // A login token and not a key: with a key this one does not say when a limit ends.
      CLAUDE_CODE_OAUTH_TOKEN: KEYS.claude,
      CODEX_API_KEY: KEYS.codex,
      GEMINI_API_KEY: KEYS.gemini,
    },
  });
  await home.up();
  await home.json(["workspace", "add", await home.repository()]);
}, 120_000);
afterAll(async () => {
  process.stdout.write(["", "failures as they were classified:", ...table, ""].join("\n"));
  await home?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

describe.each(["claude", "codex", "gemini"] as const)("the real %s in a real lane", { timeout: 120_000 }, (agent) => {
  let ward: Ward;

  beforeAll(async () => {
    await home.json(["agents", "install", `${agent}@${AGENT_CLIS[agent].version}`]);
    ward = await newWard(home, `with-${agent}`, [`agent=${agent}`]);
    // Its own retries take minutes.
    const settings = JSON.stringify({ general: { maxAttempts: 1 } });
    if (agent === "gemini")
      await run("--agent", "shell", `mkdir -p ~/.gemini; echo '${settings}' > ~/.gemini/settings.json`);
  }, 180_000);

  const run = (...args: string[]) => home.lane(["run", ward.name, ...args]);
  const submit = (prompt: string) =>
    callApi<ApiJob>(home, "POST", `/v1/lanes/${ward.born.id}/jobs`, { kind: "prompt", prompt });
  const latest = async () => (await home.json<ApiJob[]>(["jobs", ward.name, "-n", "1"]))[0] as ApiJob;
  const eventsOf = async (job: string) =>
    (await home.lane(["job", "events", job])).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ApiJobEvent);
  const tell = (what: string, found: string) => table.push(`  ${agent.padEnd(7)} ${what.padEnd(12)} ${found}`);
  const again = () => home.json(["credentials", "refresh", agent]);

  it("says what it is told, under its own login, with session, text and usage", async () => {
    const end = await run("@say hello from the stand-in\n@usage 11 22");
    expect(end, end.stderr).toMatchObject({ code: 0, stdout: "hello from the stand-in\n" });
    const job = await latest();
    expect(job).toMatchObject({ agent, state: "succeeded", text: "hello from the stand-in" });
    expect(job.session).toMatch(/^[0-9a-f-]{36}$/);
    expect(job.usage?.outputTokens).toBeGreaterThanOrEqual(22);
    const types = (await eventsOf(job.id)).map((event) => event.type);
    for (const type of ["session", "text", "usage"]) expect(types).toContain(type);
    const seen = service.requests.filter((one) => one.credential === service.digestOf(KEYS[agent]));
    expect(seen.length).toBeGreaterThan(0);
  });

  it("edits and commits, which the host sees, and goes on with the session and its history", async () => {
    const script = `echo alpha > ${agent}.txt && git add . && git ${AS} commit -qm "by ${agent}" && echo written`;
    const first = await run(`@run ${script}`);
    expect(first, first.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining("done: written") });
    const { id, session, git } = await latest();
    const log = await execa("git", ["-C", ward.born.worktree, "log", "-1", "--format=%H %s"]);
    expect(log.stdout).toBe(`${git?.commits[0]} by ${agent}`);
    const tools = (await eventsOf(id)).filter((event) => event.type === "tool_started");
    expect(tools.length).toBe(1);
    const second = await run("--session", "continue", "@history");
    expect(second.stdout).toMatch(/^prompts: 2; first: @run echo alpha > /);
    expect((await latest()).session).toBe(session);
  });

  it("is cancelled in mid-answer, and leaves no process", async () => {
    const words = Array.from({ length: 50 }, (_, index) => `word${index}`).join(" ");
    const job = await submit(`@slow 200\n@say ${words}`);
    const hasBegun = async () =>
      (await eventsOf(job.id)).some((event) => event.type === (agent === "codex" ? "session" : "text"));
    await eventually(hasBegun, { what: "an answer under way" });
    await home.json(["job", "cancel", job.id]);
    const state = async () => (await callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`)).state;
    await eventually(async () => (await state()) !== "running", { what: "the end" });
    expect(await state()).toBe("cancelled");
    const left = await home.lane([
      "exec",
      ward.name,
      "--",
      "sh",
      "-c",
      `grep -lz LANEKEEPER_JOB=${job.id} /proc/*/environ 2>/dev/null | wc -l`,
    ]);
    expect(left.stdout.trim()).toBe("0");
  });

  // What is the same for all agents is tried with one of them at each commit, with all by FULL=1.
  const thorough = agent === "claude" || FULL ? it : it.skip;

  thorough.each(FAILURES.filter(([, , agents]) => agents.includes(agent)))("fails: %j is %s", async (prompt, kind) => {
    const end = await run(prompt);
    const job = await latest();
    tell(prompt.split("\n")[0] ?? "", `${job.error?.code} (exit ${end.code})`);
    expect(job).toMatchObject({ state: "failed", error: { code: kind } });
    expect(end.code).toBe(kind === "agent.login" ? 4 : (job.exitCode ?? 1));
    await again();
  });

  thorough("meets its limit: the job says so, waits for the account, and can be cancelled", async () => {
    const sinceMs = Date.now();
    const job = await submit(`@limit ${LIMIT_S}\n@say after the limit`);
    const now = () => callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`);
    await eventually(async () => (await now()).waiting === "limit", { what: "the limit" });
    const failed = (await eventsOf(job.id)).find((event) => event.phase === "failed");
    expect(failed?.detail).toMatch(/^agent\.limit: /);
    tell("@limit", `agent.limit, waits: ${(await now()).detail}`);
    await home.json(["job", "cancel", job.id]);
    expect((await now()).state).toBe("cancelled");
    // The stand-in's own limit has to pass as well.
    await sleep(Math.max(0, sinceMs + (LIMIT_S + 1) * 1000 - Date.now()));
    await again();
  });

  thorough("is killed by somebody: interrupted", async () => {
    const job = await submit("@hang");
    const pids = () => listMarked(job.id, 1);
    await eventually(async () => pids().length > 0, { what: "its process" });
    await eventually(async () => (await callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`)).state === "running", {
      what: "the start",
    });
    for (const pid of pids()) process.kill(pid, "SIGKILL");
    const now = () => callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`);
    await eventually(async () => (await now()).state === "failed", { what: "the end" });
    tell("killed", String((await now()).error?.code));
    expect((await now()).error?.code).toBe("agent.interrupted");
  });

  thorough("asks for a session that is not there: refused", async () => {
    await run("--session", "01234567-89ab-4cde-8f01-23456789abcd", "@say hi");
    tell("bad session", String((await latest()).error?.code));
    expect((await latest()).error?.code).toBe("agent.refused");
  });

  thorough("without a valid login is not started again until somebody has seen to it", async () => {
    await run("@fail 401");
    const before = service.requests.length;
    const end = await run("@say now");
    expect([end.code, end.stderr]).toEqual([4, expect.stringContaining("login needed")]);
    const job = await latest();
    expect(job).toMatchObject({ state: "queued", waiting: "login" });
    expect(service.requests.length).toBe(before);
    await again();
    const state = async () => (await callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`)).state;
    await eventually(async () => (await state()) === "succeeded", { what: "the job after the login" });
  });
});

describe("one usage limit", { timeout: 120_000 }, () => {
  it("parks two lanes with one reset time, and both resume by themselves", async () => {
    const wards = [await newWard(home, "limit-1", ["agent=claude"]), await newWard(home, "limit-2", ["agent=claude"])];
    const of = async (id: string) => callApi<ApiJob>(home, "GET", `/v1/jobs/${id}`);
    const submit = (ward: Ward, prompt: string) =>
      callApi<ApiJob>(home, "POST", `/v1/lanes/${ward.born.id}/jobs`, { kind: "prompt", prompt });
    const limited = await submit(wards[0] as Ward, "@limit 6\n@say first");
    await eventually(async () => (await of(limited.id)).waiting === "limit", { what: "the limit" });
    const other = await submit(wards[1] as Ward, "@say second");
    const [a, b] = [await of(limited.id), await of(other.id)];
    expect([a.waiting, b.waiting]).toEqual(["limit", "limit"]);
    expect(b.detail).toBe(a.detail);
    const untilMs = Date.parse(/until (\S+)$/.exec(a.detail ?? "")?.[1] ?? "");
    const before = service.requests.length;
    const ended = async (id: string) => ["succeeded", "failed"].includes((await of(id)).state);
    await eventually(async () => (await ended(limited.id)) && ended(other.id), { what: "both jobs" });
    const early = service.requests.slice(before).filter((request) => request.atMs < untilMs);
    expect(early).toEqual([]);
    expect([(await of(limited.id)).text, (await of(other.id)).text]).toEqual(["first", "second"]);
    expect((await of(limited.id)).attempt).toBe(2);
    table.push(`  limit: 2 lanes parked until ${new Date(untilMs).toISOString()}, 0 requests before, both resumed`);
  });
});

/** Configuration that sends each agent to the stand-in. */
function toConfig(stand: ModelService): string {
  const retries = "request_max_retries=0,stream_max_retries=0";
  const provider = `name="lane",base_url="${stand.url("openai", HOST)}",env_key="CODEX_API_KEY",wire_api="responses",supports_websockets=false,${retries}`;
  const args = ["-c", 'model_provider="lane"', "-c", `model_providers.lane={${provider}}`];
  return [
    "agents:",
    `  claude: { env: { ANTHROPIC_BASE_URL: "${stand.url("anthropic", HOST)}", CLAUDE_CODE_MAX_RETRIES: "0" } }`,
    `  codex: { args: ${JSON.stringify(args)} }`,
    `  gemini: { env: { GOOGLE_GEMINI_BASE_URL: "${stand.url("gemini", HOST)}" } }`,
    "",
  ].join("\n");
}
