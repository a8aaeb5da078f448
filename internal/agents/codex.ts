import type { Agent, AgentCommand, AgentFile, AgentRun, LanePlatform } from "./agent.ts";
import { newCodexParser } from "./codex-parser.ts";
import { classifyCodex } from "./codex-verdict.ts";
import { toSessionId } from "./session-id.ts";

/**
 * OpenAI Codex. Facts of 0.169.0. It reads no base URL from the environment; another service is configured by arguments:
 *
 *     -c model_provider="lane"
 *     -c model_providers.lane={name="lane",base_url="http://HOST:PORT/v1",env_key="CODEX_API_KEY",wire_api="responses",supports_websockets=false}
 */
export const codex: Agent = {
  name: "codex",
  title: "Codex",
  prompts: "words",
  install: {
    package: "@openai/codex",
    // An alias among the optional dependencies: `npm:@openai/codex@VERSION-linux-x64`. Static, for any libc.
    programPackage: ({ os, cpu }) => `@openai/codex-${os}-${cpu}`,
    // Its neighbours in `vendor` are needed as well.
    program: (platform) => `vendor/${toTriple(platform)}/bin/codex`,
    runtime: "binary",
  },
  logins: [
    { kind: "env", name: "api-key", envName: "CODEX_API_KEY" },
    { kind: "file", name: "login", hostPath: ".codex/auth.json", path: ".codex/auth.json" },
  ],
  // Both are found by links in its own folder.
  guide: [],
  command: toCommand,
  newParser: newCodexParser,
  classify: classifyCodex,
};

function toTriple({ cpu }: LanePlatform): string {
  return `${cpu === "x64" ? "x86_64" : "aarch64"}-unknown-linux-musl`;
}

/** Else every command that it runs is handed the key; other variables stay, also secret ones that are meant for them. */
const KEEP_KEY = ["-c", 'shell_environment_policy.exclude=["CODEX_API_KEY"]'];

/** A new session's id is Codex' own; `resume` knows less options than a new run. The last `-`: the prompt is on stdin. */
function toCommand(run: AgentRun): AgentCommand {
  const open = ["--json", "--dangerously-bypass-approvals-and-sandbox", ...KEEP_KEY];
  const args =
    run.resume === null
      ? ["exec", ...open, "--color", "never", ...run.extraArgs, "-"]
      : ["exec", "resume", ...open, ...run.extraArgs, toSessionId(run.resume), "-"];
  return { argv: [run.program ?? "codex", ...args], env: run.extraEnv, stdin: run.prompt, files: toGuide(run) };
}

/** `developer_instructions` would be no way: a session that is resumed keeps those that it began with. */
function toGuide({ guide }: AgentRun): readonly AgentFile[] {
  if (guide === null) return [];
  return [
    { path: ".codex/AGENTS.md", link: `${guide}/instructions.md` },
    { path: ".codex/skills/lanekeeper", link: `${guide}/skills` },
  ];
}
