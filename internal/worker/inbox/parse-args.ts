import { parseArgs } from "node:util";
import { usage } from "./session.ts";

/** Options of a verb: `text` takes a value, `list` may be given more than once, `flag` takes none. */
export type OptionKinds = Readonly<Record<string, "text" | "list" | "flag">>;

/** A command line, understood. */
export interface Args {
  readonly words: readonly string[];
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  flag(name: string): boolean;
}

/** Reads a verb's arguments; `--json` is an option of each. @throws Stop for an unknown or incomplete option */
export function readArgs(argv: readonly string[], kinds: OptionKinds): Args {
  const all: OptionKinds = { ...kinds, json: "flag" };
  const options = Object.fromEntries(
    Object.entries(all).map(([name, kind]) => [
      name,
      { type: kind === "flag" ? ("boolean" as const) : ("string" as const), multiple: kind === "list" },
    ]),
  );
  const { values, positionals } = parse(argv, options);
  return {
    words: positionals,
    text: (name) => {
      const value = values[name];
      return typeof value === "string" ? value : undefined;
    },
    list: (name) => {
      const value = values[name];
      return Array.isArray(value) ? value.map(String) : [];
    },
    flag: (name) => values[name] === true,
  };
}

interface Parsed {
  readonly values: Readonly<Record<string, unknown>>;
  readonly positionals: readonly string[];
}

function parse(
  argv: readonly string[],
  options: Readonly<Record<string, { readonly type: "boolean" | "string"; readonly multiple: boolean }>>,
): Parsed {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (caught) {
    throw usage((caught as Error).message.split(". ")[0] ?? "");
  }
}
