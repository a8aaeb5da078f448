import { AppError, didYouMean } from "../base/index.ts";
import { AGENT_NAMES, type Agent } from "./agent.ts";
import { claude } from "./claude.ts";
import { codex } from "./codex.ts";
import { gemini } from "./gemini.ts";
import { shell } from "./shell.ts";

/** Every agent. */
export const AGENTS: readonly Agent[] = [claude, codex, gemini, shell];

/** The agent of a name; throws `agent.not_found` for any other. */
export function findAgent(name: string): Agent {
  const found = AGENTS.find((agent) => agent.name === name);
  if (found) return found;
  throw new AppError({
    code: "agent.not_found",
    message: `there is no agent "${name.slice(0, 60)}"`,
    hint: didYouMean(name, AGENT_NAMES) ?? `use one of ${AGENT_NAMES.join(", ")}`,
  });
}
