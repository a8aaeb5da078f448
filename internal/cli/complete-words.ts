import type { Command, Option } from "commander";
import { INBOX_KINDS } from "../job/index.ts";

/** What may stand where the cursor is. */
export type Completion =
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  /** Names that only the daemon knows. `prefix`: what stands before the name within its word. */
  | { readonly kind: "names"; readonly of: NameKind; readonly prefix: string }
  | { readonly kind: "files" };

/** A word that may stand there, and what it means. */
export interface Candidate {
  readonly value: string;
  readonly about: string;
}

/** Things of this installation that have names. */
export type NameKind = "lane" | "job" | "item" | "workspace" | "agent";

/** Names of arguments, and of options with a value, that stand for such things. */
const NAMES: Readonly<Record<string, NameKind>> = {
  lane: "lane",
  job: "job",
  item: "item",
  workspace: "workspace",
  agent: "agent",
};
const FILES: readonly string[] = ["path", "path-or-url", "file", "repo"];
/** Options whose values are known, beside those that commander knows the choices of. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  kind: INBOX_KINDS,
  for: ["ensure", "stop", "restart", "recreate", "remove"],
  session: ["new", "continue"],
  retry: ["never", "on-lost"],
  type: ["lane", "job", "inbox", "workspace", "agent"],
  shell: ["bash", "zsh", "fish"],
};
const NOTHING: Completion = { kind: "words", words: [] };

/**
 * What may stand at the last of `words`, which is what is being typed and may be empty; the words before it are the
 * line's after the program's name. Pure: it only looks at the command tree.
 */
export function completeWords(program: Command, words: readonly string[]): Completion {
  const current = words.at(-1) ?? "";
  const at = walk(program, words.slice(0, -1));
  if (at === null) return NOTHING;
  if (at.expects !== null) return valuesOf(at.expects, "", current === "=" ? "" : current);
  if (current.startsWith("--") && current.includes("=")) return ofAssignment(at.command, current);
  if (current.startsWith("-")) return toWords(optionsOf(at.command), current);
  if (at.command.commands.length > 0 && at.position === 0) return toWords(verbsOf(at.command), current);
  return argumentOf(at.command, at.position, current);
}

/** Where a line has got to. */
interface Place {
  readonly command: Command;
  /** How many arguments of that verb there are already. */
  readonly position: number;
  /** The option whose value comes next. */
  readonly expects: Option | null;
}

/** Where the next word stands; null behind `--`: what follows there is a command of the lane's, or text. */
function walk(program: Command, words: readonly string[]): Place | null {
  let place: Place = { command: program, position: 0, expects: null };
  for (const word of words) {
    // Bash gives the `=` of `--option=value` as a word of its own.
    if (word === "=") continue;
    if (place.expects !== null) place = { ...place, expects: null };
    else if (word === "--") return null;
    else place = step(place, word);
  }
  return place;
}

function step({ command, position }: Place, word: string): Place {
  if (word.startsWith("-")) {
    const option = findOption(command, word);
    return { command, position, expects: option !== null && takesValue(option) ? option : null };
  }
  const verb = position === 0 ? command.commands.find((one) => one.name() === word) : undefined;
  if (verb === undefined) return { command, position: position + 1, expects: null };
  return { command: verb, position: 0, expects: null };
}

/** `--option=` and the beginning of a value. */
function ofAssignment(command: Command, current: string): Completion {
  const at = current.indexOf("=");
  const option = findOption(command, current.slice(0, at));
  if (option === null || !takesValue(option)) return NOTHING;
  return valuesOf(option, current.slice(0, at + 1), current.slice(at + 1));
}

function argumentOf(command: Command, position: number, current: string): Completion {
  const known = command.registeredArguments;
  const last = known.at(-1);
  const argument = known[position] ?? (last?.variadic ? last : undefined);
  if (argument === undefined) return NOTHING;
  const of = NAMES[argument.name()];
  if (of !== undefined) return { kind: "names", of, prefix: "" };
  if (FILES.includes(argument.name())) return { kind: "files" };
  return toWords(plain(VALUES[argument.name()] ?? []), current);
}

function valuesOf(option: Option, prefix: string, current: string): Completion {
  const name = option.attributeName();
  const of = NAMES[name];
  if (of !== undefined) return { kind: "names", of, prefix };
  if (FILES.includes(name)) return { kind: "files" };
  const values = plain(option.argChoices ?? VALUES[name] ?? []);
  return toWords(
    values.map(({ value, about }) => ({ value: prefix + value, about })),
    prefix + current,
  );
}

function plain(values: readonly string[]): readonly Candidate[] {
  return values.map((value) => ({ value, about: "" }));
}

function toWords(words: readonly Candidate[], current: string): Completion {
  return { kind: "words", words: words.filter(({ value }) => value.startsWith(current)) };
}

function verbsOf(command: Command): readonly Candidate[] {
  // The help knows which verbs are hidden.
  const verbs = command.createHelp().visibleCommands(command);
  return verbs.map((verb) => ({ value: verb.name(), about: verb.summary() || verb.description() }));
}

function optionsOf(command: Command): readonly Candidate[] {
  const options = command.createHelp().visibleOptions(command);
  return options.map((option) => ({ value: option.long ?? option.short ?? "", about: option.description }));
}

function findOption(command: Command, flag: string): Option | null {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const option = at.options.find(({ long, short }) => long === flag || short === flag);
    if (option !== undefined) return option;
  }
  return null;
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}
