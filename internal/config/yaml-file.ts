import { type Document, isMap, isNode, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { AppError, didYouMean } from "../base/index.ts";
import { isSettingKey, SETTING_KEYS, type SettingKey } from "./keys.ts";

/** One configuration file's text. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/** One value as it stands in a file. */
export interface FileValue {
  readonly value: unknown;
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
}

/**
 * A file's settings by name, with their lines.
 * @throws config.invalid for broken YAML, a key given twice, and unknown keys (with a suggestion)
 */
export function parseConfigFile(file: ConfigFile): ReadonlyMap<SettingKey, FileValue> {
  const lines = new LineCounter();
  const document = parseDocument(file.text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    throw invalid(file.path, lines.linePos(broken.pos[0]).line, `is not valid YAML: ${broken.message}`);
  }
  const root = document.contents;
  if (isEmpty(root)) return new Map();
  if (!isMap(root)) throw invalid(file.path, 1, "must be a mapping of settings");
  return new Map(readMap({ path: file.path, document, lines }, root, ""));
}

interface Reader {
  readonly path: string;
  readonly document: Document;
  readonly lines: LineCounter;
}

/** The settings of a mapping and of those below. `prefix` ends in a dot, or is empty. */
function* readMap(reader: Reader, map: YAMLMap, prefix: string): Generator<readonly [SettingKey, FileValue]> {
  for (const pair of map.items) {
    const at = pair.key as Node;
    const line = reader.lines.linePos(at.range?.[0] ?? 0).line;
    const name = `${prefix}${isScalar(at) ? String(at.value) : "?"}`;
    if (isSettingKey(name)) yield [name, { value: toValue(reader, pair.value), path: reader.path, line }];
    else if (!SETTING_KEYS.some((known) => known.startsWith(`${name}.`))) {
      throw invalid(reader.path, line, `unknown setting ${JSON.stringify(name)}`, hintFor(name));
    } else if (isMap(pair.value)) yield* readMap(reader, pair.value, `${name}.`);
    else if (!isEmpty(pair.value)) throw invalid(reader.path, line, `${name} must be a mapping`, hintFor(name));
  }
}

function toValue(reader: Reader, node: unknown): unknown {
  return isNode(node) ? node.toJS(reader.document, { maxAliasCount: 100 }) : null;
}

function isEmpty(value: unknown): boolean {
  return value === null || (isScalar(value) && value.value === null);
}

/** What to write instead: a close name on the same level first, else any setting that ends in the same word. */
function hintFor(name: string): string {
  const depth = name.split(".").length;
  const onLevel = SETTING_KEYS.map((known) => known.split(".").slice(0, depth).join("."));
  const last = name.split(".").at(-1) ?? name;
  const elsewhere = SETTING_KEYS.filter((known) => known === last || known.endsWith(`.${last}`));
  const below = SETTING_KEYS.filter((known) => known.startsWith(`${name}.`));
  if (below.length > 0) return `it has ${below.map((known) => known.slice(name.length + 1)).join(", ")}`;
  return (
    didYouMean(name, [...onLevel, ...elsewhere]) ??
    (elsewhere[0] === undefined ? ALL : `did you mean "${elsewhere[0]}"?`)
  );
}

const ALL = `the settings are ${SETTING_KEYS.join(", ")}`;

/** A complaint about a line of a file. */
export function invalid(path: string, line: number, what: string, hint?: string): AppError {
  return new AppError({ code: "config.invalid", message: `${path}:${line}: ${what}`, hint, details: { path, line } });
}
