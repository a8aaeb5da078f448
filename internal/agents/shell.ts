import type { AgentEvent } from "../job/index.ts";
import type { Agent, AgentEnd, AgentParser, AgentVerdict } from "./agent.ts";
import { clip, TEXT_MAX } from "./clip.ts";
import { failed, SUCCEEDED } from "./verdicts.ts";

/** The script is standard input, read as a whole first: what it runs finds the end there, and not the rest of it. */
const RUN_STDIN = 'lane_script=$(cat) || exit; eval "$lane_script"';

/** Of its output, so much is the answer: the last of it. */
const ANSWER_MAX = 64 * 1024;

/** Runs its prompt as a script of the lane's `sh`, with `extraArgs` as `$1` and on. What it prints is its text. */
export const shell: Agent = {
  name: "shell",
  title: "shell",
  prompts: "script",
  install: null,
  logins: [],
  guide: null,
  command: (run) => ({
    argv: ["/bin/sh", "-c", RUN_STDIN, "sh", ...run.extraArgs],
    env: run.extraEnv,
    stdin: run.prompt,
    files: [],
  }),
  newParser: newShellParser,
  classify: classifyShell,
};

function newShellParser(): AgentParser {
  let text = "";
  return {
    line(line): readonly AgentEvent[] {
      const said = `${clip(line, TEXT_MAX)}\n`;
      text += said;
      // Not at each line: copies of the whole are what makes it slow.
      if (text.length > 2 * ANSWER_MAX) text = text.slice(-ANSWER_MAX);
      return [{ type: "text", text: said, partial: true }];
    },
    summary: () => ({ session: null, text: text === "" ? null : text.slice(-ANSWER_MAX), usage: null, final: null }),
  };
}

function classifyShell({ exitCode, signal, stderrTail }: AgentEnd): AgentVerdict {
  if (signal !== null) return failed("interrupted", `the script was ended by ${signal}`);
  if (exitCode === 0) return SUCCEEDED;
  const said = stderrTail.trim().split("\n").at(-1) ?? "";
  return failed("agent", `the script exited with ${exitCode}${said === "" ? "" : `: ${said}`}`);
}
