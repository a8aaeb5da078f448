import type { Command } from "commander";
import type { Ctx } from "./context.ts";

/** An option of a verb: flags, what it does, and how its value is read. */
export type OptionSpec = readonly [
  flags: string,
  summary: string,
  parse?: (value: string, previous: unknown) => unknown,
];

/** A verb of `lane`. */
export interface VerbSpec<Options> {
  /** Name and arguments, as `add <name>`. */
  readonly usage: string;
  readonly summary: string;
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly string[];
  /** Exit codes beyond those every verb may have, as `5  the lane has drifted`. */
  readonly exits?: readonly string[];
  readonly hidden?: boolean;
  /** Carries it out. `args` are the words given, without options. Resolves with the exit code. */
  readonly run: (ctx: Ctx, args: readonly string[], options: Options) => Promise<number>;
}

/** Adds a verb below `parent`. */
export type DefineVerb = <Options = Record<never, never>>(parent: Command, spec: VerbSpec<Options>) => void;

const COMMON_EXITS = ["0  ok", "1  the operation failed", "2  wrong usage", "6  laned is not running"];

/** What a verb does, and examples: the first thing its help shows. */
export function renderDescription(spec: { readonly summary: string; readonly examples: readonly string[] }): string {
  return [spec.summary, "", "Examples:", ...spec.examples.map((line) => `  ${line}`)].join("\n");
}

/** The last part of a verb's help. */
export function renderExits(more: readonly string[]): string {
  const exits = [...COMMON_EXITS, ...more].toSorted((a, b) => orderOf(a) - orderOf(b));
  return ["", "Exit codes:", ...exits.map((line) => `  ${line}`)].join("\n");
}

/** `else` comes last. */
function orderOf(exit: string): number {
  const code = Number.parseInt(exit, 10);
  return Number.isNaN(code) ? Number.POSITIVE_INFINITY : code;
}

/** Collects the values of an option that may be repeated. */
export function collect(value: string, previous: unknown): readonly string[] {
  return [...(Array.isArray(previous) ? (previous as readonly string[]) : []), value];
}

/** A verb that only holds verbs, as `lane job`. */
export function addGroup(parent: Command, name: string, summary: string): Command {
  return parent.command(name).description(summary).helpOption("-h, --help", "print this help");
}
