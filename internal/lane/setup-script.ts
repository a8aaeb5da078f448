import type { SetupCommand } from "./repository-config.ts";

/** One command line that runs all of them in turn, each told before it runs, and stops at the first that fails. */
export function toSetupArgv(commands: readonly SetupCommand[]): readonly string[] {
  const lines = commands.flatMap((command) => {
    const words = typeof command === "string" ? ["sh", "-c", command] : command;
    const told = typeof command === "string" ? command : command.join(" ");
    return [`printf '%s\\n' ${quote(`+ ${told}`)}`, words.map(quote).join(" ")];
  });
  return ["sh", "-e", "-c", lines.join("\n")];
}

/** A word of a shell's command line that stands for exactly this text. */
function quote(text: string): string {
  if (/^[A-Za-z0-9_./:@+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}
