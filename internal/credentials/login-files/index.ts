import { claudeLogin } from "./claude.ts";
import { codexLogin } from "./codex.ts";
import { geminiLogin } from "./gemini.ts";
import type { LoginFile } from "./login-file.ts";

export type { LoginFacts } from "./login-file.ts";

/** Login files by their agent's name. */
const LOGIN_FILES: Readonly<Record<string, LoginFile>> = {
  claude: claudeLogin,
  codex: codexLogin,
  gemini: geminiLogin,
};

/** What is known of an agent's login file; null for an agent that has none. */
export function loginFileOf(agent: string): LoginFile | null {
  return Object.hasOwn(LOGIN_FILES, agent) ? (LOGIN_FILES[agent] ?? null) : null;
}
