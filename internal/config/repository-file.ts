import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import type { z } from "zod";
import { type AppError, didYouMean } from "../base/index.ts";
import { NO_REPOSITORY_CONFIG, REPOSITORY_FILE, type RepositoryConfig, toSetupArgv } from "../lane/index.ts";
import { REPOSITORY_VALUES, type RepositoryKey } from "./repository-values.ts";
import { invalid } from "./yaml-file.ts";

/** Longest file that is looked at, in bytes. */
export const REPOSITORY_FILE_MAX_BYTES = 64 * 1024;

/** The kernel takes no single word of a command line above 128 KiB. */
const SCRIPT_MAX = 100_000;

/**
 * How deep a file may be nested, told without parsing it: brackets in all, words of structure in one line, columns of
 * indentation. The parser goes as deep as its stack, and a regular expression that V8 compiles near the end of the stack
 * ends the whole process.
 */
const BRACKETS_MAX = 128;
const MARKS_MAX = 16;
const COLUMNS_MAX = 100;

/**
 * So many parts (marks, values, spaces between them) are parsed: the parser takes some 20 µs for each, and an error for
 * each where they are wrong, while the daemon waits. A long command is one part.
 */
const PARTS_MAX = 2000;

/**
 * Reads a repository's own file. It is anybody's text: bounded, without aliases, anchors, tags and merges, and every
 * key is known.
 * @throws config.invalid naming line and key
 */
export function parseRepositoryFile(text: string): RepositoryConfig {
  const bytes = Buffer.byteLength(text);
  if (bytes > REPOSITORY_FILE_MAX_BYTES)
    throw fail(1, `is ${bytes} bytes long`, `at most ${REPOSITORY_FILE_MAX_BYTES} are read`);
  if (text.includes("\uFFFD") || text.includes("\0")) throw fail(1, "is not a text in UTF-8");
  refuseDepth(text);
  refuseParts(text);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    merge: false,
    schema: "core",
  });
  const broken = document.errors[0] ?? document.warnings[0];
  if (broken !== undefined) throw fail(lines.linePos(broken.pos[0]).line, `is not valid YAML: ${broken.message}`);
  refuseTricks(document, lines);
  const given = new Map(readEntries(document, lines));
  const config: Record<string, unknown> = { ...NO_REPOSITORY_CONFIG };
  for (const [key, { value, line }] of given) {
    const parsed: z.ZodSafeParseResult<unknown> = REPOSITORY_VALUES[key].schema.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      const inside = issue === undefined || issue.path.length === 0 ? "" : `, ${issue.path.join(".")}`;
      throw fail(line, `${key}${inside}: ${issue?.message ?? "not valid"}`, REPOSITORY_VALUES[key].help);
    }
    config[REPOSITORY_VALUES[key].field] = parsed.data;
  }
  // The loop has filled each field by that field's own schema.
  const done = config as unknown as RepositoryConfig;
  for (const key of ["setup", "teardown"] as const) {
    if (Buffer.byteLength(toSetupArgv(done[key] ?? []).join("")) <= SCRIPT_MAX) continue;
    throw fail(
      given.get(key)?.line ?? 1,
      `${key} is too long`,
      "put it into a script of the repository, and name that",
    );
  }
  return done;
}

interface Entry {
  readonly value: unknown;
  readonly line: number;
}

function refuseDepth(text: string): void {
  const isDeep = (line: string): boolean =>
    line.length - line.trimStart().length > COLUMNS_MAX ||
    line.split(/\s+/).filter((word) => /^[-?:]$|:$/.test(word)).length > MARKS_MAX;
  const deep = text.split("\n").findIndex(isDeep);
  const brackets = text.split(/[[{]/).length - 1;
  if (deep < 0 && brackets <= BRACKETS_MAX) return;
  throw fail(deep < 0 ? 1 : deep + 1, "is nested too deeply", "put long commands into a script of the repository");
}

function refuseParts(text: string): void {
  let count = 0;
  let length = 0;
  for (const part of new Lexer().lex(text)) {
    length += part.length;
    if (++count > PARTS_MAX)
      throw fail(text.slice(0, length).split("\n").length, `has more than ${PARTS_MAX} parts up to here`);
  }
}

/** What makes a small text a large value, or a plain one an object of somebody's choice; and a key given twice. */
function refuseTricks(document: Document, lines: LineCounter): void {
  visit(document, (_, node) => {
    if (!isNode(node)) return;
    const line = lines.linePos(node.range?.[0] ?? 0).line;
    if (isAlias(node) || node.anchor !== undefined)
      throw fail(line, "uses an anchor or an alias", "write the value out");
    if (node.tag !== undefined) throw fail(line, `uses the tag ${node.tag}`, "write plain values");
    // The parser's own check compares each key with each other one.
    if (!isMap(node)) return;
    const keys = node.items.map(({ key }) => (isScalar(key) ? String(key.value) : ""));
    const seen = new Set<string>();
    for (const key of keys) {
      if (seen.has(key)) throw fail(line, `has the key ${JSON.stringify(key.slice(0, 80))} twice in one mapping`);
      seen.add(key);
    }
  });
}

/** The entries of the file, with `limits` and `env` taken apart where they have keys of their own. */
function* readEntries(document: Document, lines: LineCounter): Generator<readonly [RepositoryKey, Entry]> {
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return;
  if (!isMap(root)) throw fail(1, "must be a mapping of settings");
  for (const { name, value, line } of pairsOf(root, lines)) {
    if (name === "limits" && isMap(value)) {
      for (const limit of pairsOf(value, lines))
        yield [keyOf(`limits.${limit.name}`, limit.line), toEntry(limit, document)];
    } else yield [keyOf(name, line), toEntry({ value, line }, document)];
  }
}

function* pairsOf(
  map: { readonly items: readonly { readonly key: unknown; readonly value: unknown }[] },
  lines: LineCounter,
) {
  for (const { key, value } of map.items) {
    const line = lines.linePos((key as Node).range?.[0] ?? 0).line;
    if (!isScalar(key) || typeof key.value !== "string") throw fail(line, "has a key that is no word");
    yield { name: key.value, value, line };
  }
}

function toEntry({ value, line }: Entry, document: Document): Entry {
  return { value: value === null ? null : (value as Node).toJS(document, { maxAliasCount: 0 }), line };
}

function keyOf(name: string, line: number): RepositoryKey {
  if (Object.hasOwn(REPOSITORY_VALUES, name)) return name as RepositoryKey;
  const known = Object.keys(REPOSITORY_VALUES);
  throw fail(
    line,
    `unknown key ${JSON.stringify(name.slice(0, 80))}`,
    didYouMean(name, known) ?? `the keys are ${known.join(", ")}`,
  );
}

function fail(line: number, what: string, hint?: string): AppError {
  return invalid(REPOSITORY_FILE, line, what, hint);
}
