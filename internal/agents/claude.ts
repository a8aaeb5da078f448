import type { Agent, AgentCommand, AgentRun } from "./agent.ts";
import { newClaudeParser } from "./claude-parser.ts";
import { classifyClaude } from "./claude-verdict.ts";
import { toSessionId } from "./session-id.ts";

/** Claude Code. Facts of 2.1.329. */
export const claude: Agent = {
  name: "claude",
  title: "Claude Code",
  prompts: "words",
  install: {
    package: "@anthropic-ai/claude-code",
    // The package itself holds a stub that its install script replaces; scripts are not run.
    programPackage: ({ os, cpu, libc }) => `@anthropic-ai/claude-code-${os}-${cpu}${libc === "musl" ? "-musl" : ""}`,
    program: () => "claude",
    runtime: "binary",
  },
  logins: [
    { kind: "env", name: "token", envName: "CLAUDE_CODE_OAUTH_TOKEN" },
    { kind: "env", name: "api-key", envName: "ANTHROPIC_API_KEY" },
    { kind: "env", name: "token", envName: "ANTHROPIC_AUTH_TOKEN" },
    { kind: "file", name: "login", hostPath: ".claude/.credentials.json", path: ".claude/.credentials.json" },
  ],
  guide: [
    { path: "CLAUDE.md", link: "instructions.md" },
    { path: ".claude/skills", link: "../skills" },
  ],
  command: toCommand,
  newParser: newClaudeParser,
  classify: classifyClaude,
};

const OUTPUT = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"];

/**
 * An additional folder's instructions are read anew in a session that is resumed; an appended system prompt is the one
 * that the session began with.
 */
function toCommand(run: AgentRun): AgentCommand {
  const session =
    run.resume === null ? ["--session-id", toSessionId(run.newSession)] : ["--resume", toSessionId(run.resume)];
  // It takes all words up to the next option.
  const guide = run.guide === null ? [] : ["--add-dir", run.guide];
  return {
    argv: [
      run.program ?? "claude",
      "-p",
      ...OUTPUT,
      ...guide,
      "--dangerously-skip-permissions",
      ...session,
      ...run.extraArgs,
    ],
    env: {
      DISABLE_AUTOUPDATER: "1",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      ...(run.guide === null ? {} : { CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD: "1" }),
      ...run.extraEnv,
      // As root it refuses to go without asking, unless it is told that this is a sandbox.
      ...(run.asRoot ? { IS_SANDBOX: "1" } : {}),
    },
    stdin: run.prompt,
    files: [],
  };
}
