import { isMap, parse, parseDocument } from "yaml";
import { AppError, didYouMean } from "../base/index.ts";
import { type DefaultFacts, isSettingKey, SETTING_KEYS } from "./keys.ts";
import { loadConfig } from "./load-config.ts";
import type { ConfigFile } from "./yaml-file.ts";

/**
 * The file's text with one setting changed; comments and order stay. `value` is read as YAML, as in `2g` or `[a, b]`;
 * empty: the setting goes. Pure.
 * @throws usage.invalid for an unknown setting, config.invalid when the result could not be used
 */
export function editConfigFile(
  file: ConfigFile,
  change: { readonly key: string; readonly value: string },
  facts: DefaultFacts,
): string {
  const { key, value } = change;
  if (!isSettingKey(key)) {
    throw new AppError({
      code: "usage.invalid",
      message: `unknown setting ${JSON.stringify(key)}`,
      hint: didYouMean(key, SETTING_KEYS) ?? "see: lane config show",
    });
  }
  // What is broken already is told as it stands.
  loadConfig({ env: {}, files: [file], facts });
  const document = parseDocument(file.text);
  const path = key.split(".");
  if (value !== "") document.setIn(path, toValue(key, value));
  else if (document.hasIn(path)) {
    document.deleteIn(path);
    for (let at = path.slice(0, -1); at.length > 0 && isEmptyMap(document.getIn(at)); at = at.slice(0, -1)) {
      document.deleteIn(at);
    }
  }
  const text = isEmptyMap(document.contents) ? "" : document.toString();
  loadConfig({ env: {}, files: [{ path: file.path, text }], facts });
  return text;
}

function toValue(key: string, value: string): unknown {
  try {
    return parse(value);
  } catch (cause) {
    throw new AppError({
      code: "usage.invalid",
      message: `${key} cannot be ${JSON.stringify(value)}: it is not valid YAML`,
      hint: "write a word, a number, or a list as [a, b]",
      cause,
    });
  }
}

function isEmptyMap(node: unknown): boolean {
  return node === null || (isMap(node) && node.items.length === 0);
}
