import type { Agent, AgentCommand, AgentFile, AgentRun } from "./agent.ts";
import { newGeminiParser } from "./gemini-parser.ts";
import { classifyGemini } from "./gemini-verdict.ts";
import { toSessionId } from "./session-id.ts";

/** Gemini CLI. Facts of 0.61.0. */
export const gemini: Agent = {
  name: "gemini",
  title: "Gemini CLI",
  prompts: "words",
  install: {
    package: "@google/gemini-cli",
    // A bundle: none of its optional dependencies is needed here.
    programPackage: () => "@google/gemini-cli",
    program: () => "bundle/gemini.js",
    runtime: "node",
  },
  logins: [
    { kind: "env", name: "api-key", envName: "GEMINI_API_KEY" },
    { kind: "file", name: "login", hostPath: ".gemini/oauth_creds.json", path: ".gemini/oauth_creds.json" },
  ],
  // An extension of its own.
  guide: [
    {
      path: "gemini/gemini-extension.json",
      text: JSON.stringify({ name: "lanekeeper", version: "1.0.0", contextFileName: "GEMINI.md" }),
    },
    { path: "gemini/GEMINI.md", link: "../instructions.md" },
    { path: "gemini/skills", link: "../skills" },
  ],
  command: toCommand,
  newParser: newGeminiParser,
  classify: classifyGemini,
};

function toCommand(run: AgentRun): AgentCommand {
  const session =
    run.resume === null ? ["--session-id", toSessionId(run.newSession)] : ["--resume", toSessionId(run.resume)];
  const program = run.program === null ? ["gemini"] : [run.node, run.program];
  return {
    argv: [...program, "-o", "stream-json", "--approval-mode", "yolo", ...session, ...run.extraArgs],
    env: {
      GEMINI_TELEMETRY_ENABLED: "false",
      // Less of them is warned of.
      TERM: "xterm-256color",
      ...run.extraEnv,
      GEMINI_CLI_TRUST_WORKSPACE: "true",
      // Else it starts itself again, and the process that we started passes no signal on.
      GEMINI_CLI_NO_RELAUNCH: "true",
    },
    stdin: run.prompt,
    files: [toSettings(run), ...toGuide(run)],
  };
}

/**
 * Without the kind of login in its settings it guesses: a base URL alone makes it one that it then refuses. System-wide
 * settings are no way: it reads none below a folder that is not root's.
 */
function toSettings({ login, extraEnv }: AgentRun): AgentFile {
  const usesKey = login === "api-key" || (login === null && extraEnv.GOOGLE_GEMINI_BASE_URL !== undefined);
  const selectedType = usesKey ? "gemini-api-key" : login === "login" ? "oauth-personal" : null;
  return {
    path: ".gemini/settings.json",
    settings: {
      privacy: { usageStatisticsEnabled: false },
      ...(selectedType === null ? {} : { security: { auth: { selectedType } } }),
    },
  };
}

function toGuide({ guide }: AgentRun): readonly AgentFile[] {
  return guide === null ? [] : [{ path: ".gemini/extensions/lanekeeper", link: `${guide}/gemini` }];
}
