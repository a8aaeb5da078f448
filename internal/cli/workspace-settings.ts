import { AppError } from "../base/index.ts";
import type { PatchWorkspace } from "../protocol/index.ts";
import { readSettings } from "./read-settings.ts";

type Change = PatchWorkspace["settings"];
type CommandKey = "setup" | "teardown";

const OF_LANES_ONLY = ["drift", "ephemeral", "onSuccess", "role"] as const;

/**
 * Reads `key=value…` as settings of a workspace: those of a lane, `setup` and `teardown`. A command that is given again
 * comes after the one before; an empty value takes the setting away. Variables are returned apart.
 * @throws usage.invalid
 */
export async function readWorkspaceSettings(
  words: readonly string[],
): Promise<{ readonly settings: Change; readonly env: Readonly<Record<string, string>> }> {
  const { settings, env } = await readSettings(words.filter((word) => commandOf(word) === null));
  const wrong = OF_LANES_ONLY.find((key) => settings[key] !== undefined);
  if (wrong !== undefined) {
    throw new AppError({
      code: "usage.invalid",
      message: `${wrong} is a setting of a lane, not of a workspace`,
      hint: `lane set <lane> ${wrong}=…`,
    });
  }
  const { drift: _, ephemeral: __, onSuccess: ___, role: ____, ...own } = settings;
  return { settings: { ...own, ...commandsOf(words, "setup"), ...commandsOf(words, "teardown") }, env };
}

function commandOf(word: string): CommandKey | null {
  if (word.startsWith("setup=")) return "setup";
  return word.startsWith("teardown=") ? "teardown" : null;
}

function commandsOf(words: readonly string[], key: CommandKey): Change {
  const given = words.filter((word) => commandOf(word) === key).map((word) => word.slice(key.length + 1));
  if (given.length === 0) return {};
  const commands = given.filter((command) => command !== "");
  return { [key]: commands.length === 0 ? null : commands };
}
