import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiJob } from "../../internal/protocol/api.ts";
import { AGENT_CLIS } from "../support/agent-clis.ts";
import { FULL } from "../support/full.ts";
import { type Installation, newInstallation } from "../support/installation.ts";
import { type ModelService, startModelService } from "../support/model-service/index.ts";
import { newWard, type Ward } from "../support/ward.ts";

/** How a lane calls this machine. */
const HOST = "host.containers.internal";
const AGENTS = ["claude", "codex", "gemini"] as const;
/** What stands in the files of the host, and is looked for in what the model is asked. */
const MARKS = {
  lanekeeper: "inbox context",
  base: "told-to-everybody-1",
  ofWorkspace: "told-to-the-workspace",
  ofLane: "told-to-the-lane",
  ofOther: "told-to-another-lane",
  newBase: "told-to-everybody-2",
  skill: "skill-at-hand-1",
  newSkill: "skill-at-hand-2",
} as const;
const FIRST = [MARKS.lanekeeper, MARKS.base, MARKS.ofWorkspace, MARKS.ofLane, MARKS.skill];

let service: ModelService;
let home: Installation;
let ward: Ward;

beforeAll(async () => {
  service = await startModelService({ host: "0.0.0.0" });
  for (const mark of Object.values(MARKS)) service.lookFor(mark);
  home = await newInstallation({
    config: toConfig(service),
    env: {
      CLAUDE_CODE_OAUTH_TOKEN: "key-canary-claude-7d1e",
      CODEX_API_KEY: "key-canary-codex-7d1e",
      GEMINI_API_KEY: "key-canary-gemini-7d1e",
    },
  });
  await home.up();
  const { name } = await home.json<{ name: string }>(["workspace", "add", await home.repository()]);
  for (const agent of AGENTS) await home.json(["agents", "install", `${agent}@${AGENT_CLIS[agent].version}`]);
  await put("instructions/base.md", `# For all\n\n${MARKS.base}\n`);
  await put(`instructions/workspaces/${name}.md`, MARKS.ofWorkspace);
  await put(`instructions/workspaces/${name}/guided.md`, MARKS.ofLane);
  await put(`instructions/workspaces/${name}/other.md`, MARKS.ofOther);
  await putSkill("first", MARKS.skill);
  ward = await newWard(home, "guided");
}, 300_000);
afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

async function put(path: string, content: string): Promise<void> {
  const file = join(home.dir, "c", "lanekeeper", path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}
const putSkill = (name: string, description: string) =>
  put(
    `skills/${name}/SKILL.md`,
    `---\nname: ${name}\ndescription: ${description}, to be used when asked for it\n---\n`,
  );
const prompt = (agent: string, ...args: string[]) =>
  home.lane(["run", ward.name, "--agent", agent, ...args], { timeoutMs: 60_000 });

/** Prompts the agent; gives what of {@link MARKS} the model was told. */
async function toldOf(agent: string, ...args: string[]): Promise<readonly string[]> {
  const before = service.requests.length;
  const end = await prompt(agent, ...args, "@say hi");
  expect(end, end.stderr).toMatchObject({ code: 0 });
  return [...new Set(service.requests.slice(before).flatMap(({ found }) => found))];
}

describe.each(FULL ? AGENTS : AGENTS.slice(0, 1))("the real %s", { timeout: 120_000 }, (agent) => {
  it("is told all that is meant for it, and nothing else, and has the skills", async () => {
    await put("instructions/base.md", `# For all\n\n${MARKS.base}\n`);
    await rm(join(home.dir, "c/lanekeeper/skills/second"), { recursive: true, force: true });
    expect([...(await toldOf(agent))].sort()).toEqual([...FIRST].sort());
  });

  it("is told of a change with the next prompt, also in its session, in the same container", async () => {
    const { generation } = await ward.now();
    await put("instructions/base.md", MARKS.newBase);
    await putSkill("second", MARKS.newSkill);
    const inSession = await toldOf(agent, "--session", "continue");
    expect(inSession).toEqual(expect.arrayContaining([MARKS.newBase, MARKS.newSkill]));
    const anew = await toldOf(agent);
    expect(anew).toEqual(expect.arrayContaining([MARKS.newBase, MARKS.skill, MARKS.newSkill]));
    expect(anew).not.toContain(MARKS.base);
    expect((await ward.now()).generation).toBe(generation);
  });

  it("can read them where it runs, and not write them", async () => {
    const guide = "/run/lane/guide";
    const script = `grep -c ${MARKS.newBase} ${guide}/instructions.md; for f in ${guide}/instructions.md ${guide}/new ${guide}/skills/first/SKILL.md; do (echo x >> $f) 2>/dev/null || echo refused; done`;
    expect((await prompt(agent, `@run ${script}`)).stdout.trim().split(/\s+/).slice(-4)).toEqual([
      ...["1", "refused", "refused", "refused"],
    ]);
  });

  it("has the skills that the lane chooses", async () => {
    await home.json(["set", ward.name, "skills=second"]);
    const told = await toldOf(agent);
    expect([told.includes(MARKS.skill), told.includes(MARKS.newSkill)]).toEqual([false, true]);
    await home.json(["set", ward.name, "skills="]);
  });
});

it("survives what agents write into their own homes, and leaves the worktree clean", { timeout: 120_000 }, async () => {
  const wipe = [
    "rm -f ~/.codex/AGENTS.md ~/.codex/skills/lanekeeper ~/.gemini/extensions/lanekeeper",
    "mkdir -p ~/.codex; echo mine > ~/.codex/AGENTS.md; mkdir -p ~/.gemini/extensions/lanekeeper",
  ];
  const wiped = await prompt("shell", wipe.join("; "));
  expect(wiped, wiped.stderr).toMatchObject({ code: 0 });
  for (const agent of AGENTS)
    expect(await toldOf(agent)).toEqual(expect.arrayContaining([MARKS.newBase, MARKS.skill, MARKS.newSkill]));
  expect((await prompt("shell", "cat ~/.codex/AGENTS.md.own")).stdout).toBe("mine\n");
  expect((await execa("git", ["-C", ward.born.worktree, "status", "--porcelain"], { reject: false })).stdout).toBe("");
});

it("that are too long fail the prompt with what to do, and nothing else", { timeout: 60_000 }, async () => {
  await put("instructions/base.md", "x".repeat(40_000));
  const before = service.requests.length;
  const end = await prompt("claude", "@say hi");
  expect(end.code).toBe(1);
  expect(end.stderr).toMatch(/base\.md are 40000 bytes long, at most 32768/);
  expect((await home.json<ApiJob[]>(["jobs", ward.name, "-n", "1"]))[0]).toMatchObject({ state: "failed" });
  expect(service.requests.length).toBe(before);
  expect((await home.lane(["run", ward.name, "--", "true"])).code).toBe(0);
  await put("instructions/base.md", MARKS.base);
  expect(await toldOf("claude")).toContain(MARKS.base);
});

/** Configuration that sends each agent to the stand-in. */
function toConfig(stand: ModelService): string {
  const provider = `name="lane",base_url="${stand.url("openai", HOST)}",env_key="CODEX_API_KEY",wire_api="responses",supports_websockets=false`;
  const args = ["-c", 'model_provider="lane"', "-c", `model_providers.lane={${provider}}`];
  return [
    "agents:",
    `  claude: { env: { ANTHROPIC_BASE_URL: "${stand.url("anthropic", HOST)}", CLAUDE_CODE_MAX_RETRIES: "0" } }`,
    `  codex: { args: ${JSON.stringify(args)} }`,
    `  gemini: { env: { GOOGLE_GEMINI_BASE_URL: "${stand.url("gemini", HOST)}" } }`,
    "",
  ].join("\n");
}
