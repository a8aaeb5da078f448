import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { hasCode } from "../base/index.ts";
import { AGENTS, type AgentCommand, type AgentRun, findAgent, type LanePlatform } from "./index.ts";

const ID = "0198c0de-0000-7000-8000-000000000000";

function commandOf(agent: string, run: Partial<AgentRun> = {}): AgentCommand {
  return findAgent(agent).command({
    node: "/opt/node",
    program: `/opt/agents/${agent}`,
    resume: null,
    newSession: ID,
    prompt: "do it",
    login: null,
    guide: null,
    extraArgs: [],
    extraEnv: {},
    asRoot: false,
    ...run,
  });
}

describe("commands", () => {
  it.each(AGENTS)("of $name have the prompt on standard input only", (agent) => {
    const { argv, env, stdin } = commandOf(agent.name, { prompt: "the-secret-plan" });
    expect(stdin).toBe("the-secret-plan");
    expect(JSON.stringify([argv, env])).not.toContain("the-secret-plan");
  });

  it.each(AGENTS)("of $name take arguments and variables of configuration", (agent) => {
    const { argv, env } = commandOf(agent.name, { extraArgs: ["--one", "two"], extraEnv: { BASE_URL: "http://x" } });
    expect(argv.join(" ")).toContain("--one two");
    expect(env).toMatchObject({ BASE_URL: "http://x" });
  });

  it.each(AGENTS.filter(({ name }) => name !== "shell"))("of $name refuse a session that is an option", (agent) => {
    const bad = () => commandOf(agent.name, { resume: "--help" });
    expect(bad).toThrow(expect.objectContaining({ code: "request.invalid" }));
  });

  it("of Claude", () => {
    const open = ["-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"];
    const start = ["/opt/agents/claude", ...open, "--dangerously-skip-permissions"];
    expect(commandOf("claude").argv).toEqual([...start, "--session-id", ID]);
    expect(commandOf("claude", { resume: "an-id" }).argv).toEqual([...start, "--resume", "an-id"]);
    const quiet = { DISABLE_AUTOUPDATER: "1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" };
    expect(commandOf("claude").env).toEqual(quiet);
    expect(commandOf("claude", { asRoot: true }).env).toEqual({ ...quiet, IS_SANDBOX: "1" });
  });

  it("of Codex", () => {
    const keepKey = ["-c", 'shell_environment_policy.exclude=["CODEX_API_KEY"]'];
    const open = ["--json", "--dangerously-bypass-approvals-and-sandbox", ...keepKey];
    const extraArgs = ["-c", 'model="m"'];
    expect(commandOf("codex", { extraArgs }).argv).toEqual(
      ["/opt/agents/codex", "exec", ...open, "--color", "never", ...extraArgs, "-"], //
    );
    expect(commandOf("codex", { resume: "an-id", extraArgs }).argv).toEqual(
      ["/opt/agents/codex", "exec", "resume", ...open, ...extraArgs, "an-id", "-"], //
    );
  });

  it("of Gemini", () => {
    const start = ["/opt/node", "/opt/agents/gemini", "-o", "stream-json", "--approval-mode", "yolo"];
    expect(commandOf("gemini").argv).toEqual([...start, "--session-id", ID]);
    expect(commandOf("gemini", { resume: "an-id" }).argv).toEqual([...start, "--resume", "an-id"]);
    const forced = { GEMINI_CLI_NO_RELAUNCH: "true", GEMINI_CLI_TRUST_WORKSPACE: "true" };
    expect(commandOf("gemini", { extraEnv: { GEMINI_CLI_NO_RELAUNCH: "no" } }).env).toMatchObject(forced);
  });

  it("of Gemini say which login it has, as a base URL alone makes it refuse", () => {
    const typeFor = (run: Partial<AgentRun>) =>
      commandOf("gemini", run).files.map((file) => "settings" in file && file.settings.security);
    const extraEnv = { GOOGLE_GEMINI_BASE_URL: "http://x" };
    const key = [{ auth: { selectedType: "gemini-api-key" } }];
    expect(typeFor({ login: "api-key" })).toEqual(key);
    expect(typeFor({ extraEnv })).toEqual(key);
    expect(typeFor({ login: "login" })).toEqual([{ auth: { selectedType: "oauth-personal" } }]);
    expect(typeFor({})).toEqual([undefined]);
  });

  it("point at the guide, where there is one", () => {
    const guide = "/run/lane/guide";
    const { argv, env } = commandOf("claude", { guide });
    // What follows the folders of --add-dir has to be an option.
    expect(argv.join(" ")).toContain(` --add-dir ${guide} --dangerously-skip-permissions `);
    expect(env).toMatchObject({ CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD: "1" });
    const links = (agent: string) => commandOf(agent, { guide }).files.filter((file) => "link" in file);
    expect(links("codex")).toEqual([
      { path: ".codex/AGENTS.md", link: `${guide}/instructions.md` },
      { path: ".codex/skills/lanekeeper", link: `${guide}/skills` },
    ]);
    expect(links("gemini")).toEqual([{ path: ".gemini/extensions/lanekeeper", link: `${guide}/gemini` }]);
    for (const { name } of AGENTS) expect(JSON.stringify(commandOf(name))).not.toContain("guide");
  });

  it("of the shell run a script that has no standard input and keeps its exit code", () => {
    const run = (prompt: string) => {
      const { argv, stdin } = commandOf("shell", { prompt, extraArgs: ["one"] });
      const { stdout, status } = spawnSync(argv[0] ?? "", argv.slice(1), { input: stdin, encoding: "utf8" });
      return { stdout, status };
    };
    expect(run('cat\necho "it\'s $1"\nexit 3\n')).toEqual({ stdout: "it's one\n", status: 3 });
    expect(run("x='\"'; cat <<END\n$x\nEND")).toEqual({ stdout: '"\n', status: 0 });
    expect(run("if").status).not.toBe(0);
  });
});

describe("findAgent", () => {
  it("knows the agents and says what may have been meant", () => {
    expect(AGENTS.map(({ name }) => findAgent(name).name)).toEqual(["claude", "codex", "gemini", "shell"]);
    const error = (() => {
      try {
        return findAgent("cladue");
      } catch (caught) {
        return caught;
      }
    })();
    expect(hasCode(error, "agent.not_found") && error.hint).toBe('did you mean "claude"?');
  });
});

describe("install specs", () => {
  const PLATFORMS: readonly LanePlatform[] = [
    { os: "linux", cpu: "x64", libc: "glibc" },
    { os: "linux", cpu: "arm64", libc: "musl" },
  ];
  const placesOf = (agent: string) =>
    PLATFORMS.map((platform) => {
      const { install } = findAgent(agent);
      return install ? `${install.programPackage(platform)}/${install.program(platform)}` : "none";
    });

  it("name the programs where the packages have them", () => {
    expect(placesOf("claude")).toEqual([
      "@anthropic-ai/claude-code-linux-x64/claude",
      "@anthropic-ai/claude-code-linux-arm64-musl/claude",
    ]);
    expect(placesOf("codex")).toEqual([
      "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
      "@openai/codex-linux-arm64/vendor/aarch64-unknown-linux-musl/bin/codex",
    ]);
    expect(placesOf("gemini")).toEqual(Array(2).fill("@google/gemini-cli/bundle/gemini.js"));
    expect(placesOf("shell")).toEqual(["none", "none"]);
  });
});
