import { AppError, didYouMean } from "../base/index.ts";
import { parsePackages, parseSkillChoice } from "../lane/index.ts";
import type { PatchLane } from "../protocol/index.ts";

type Settings = PatchLane["settings"];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Keys of the contract that come with a later version: named, so that the message can say so. */
const LATER_KEYS: readonly string[] = ["network"];
const KEYS: readonly string[] = [
  "image",
  "agent",
  "drift",
  "limits.memory",
  "limits.cpus",
  "limits.pids",
  "skills",
  "base",
  "ephemeral",
  "onSuccess",
  "role",
  "ports",
  "packages",
];
const DRIFT_WORDS = ["when-idle", "now", "hold"] as const;
const SUCCESS_WORDS = ["import", "push"] as const;
const ROLE_WORDS = ["lane", "main"] as const;
const BOOLEAN_WORDS = ["false", "true"] as const;
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** How `512m` is read; handed in, because it belongs to the configuration's values. */
export type ParseSize = (text: string) => number;

/**
 * Reads `key=value…` as settings of a lane. An empty value gives a key its default back. Variables are returned
 * apart, since they are merged into those the lane has.
 * @throws usage.invalid for an unknown key or a value that does not fit
 */
export function parseSettings(
  words: readonly string[],
  parseSize: ParseSize,
): { readonly settings: Settings; readonly env: Readonly<Record<string, string>> } {
  const settings: Mutable<Settings> = {};
  const env: Record<string, string> = {};
  for (const word of words) {
    const at = word.indexOf("=");
    if (at < 1) throw usage(`not a setting: ${JSON.stringify(word)}`, "write key=value, as in limits.memory=2g");
    const [key, value] = [word.slice(0, at), word.slice(at + 1)];
    if (key.startsWith("env.")) {
      env[parseEnvName(key.slice("env.".length))] = value;
      continue;
    }
    setOne(settings, key, value, parseSize);
  }
  return { settings, env };
}

/** The name of a variable of a lane's container. @throws usage.invalid */
export function parseEnvName(name: string): string {
  if (ENV_NAME.test(name)) return name;
  throw usage(`not a variable's name: ${JSON.stringify(name)}`, "use letters, digits and _, as in env.NODE_ENV=test");
}

/** The variables after a change, as a whole: that is how the daemon takes them. Null: nothing changes. */
export function mergeVariables(
  before: unknown,
  given: Readonly<Record<string, string>>,
  gone: readonly string[],
): Record<string, string> | null {
  if (Object.keys(given).length === 0 && gone.length === 0) return null;
  const known = typeof before === "object" && before !== null ? Object.entries(before) : [];
  const texts = known.filter((entry): entry is [string, string] => typeof entry[1] === "string");
  const merged = Object.entries({ ...Object.fromEntries(texts), ...given });
  return Object.fromEntries(merged.filter(([name]) => !gone.includes(name)));
}

function setOne(settings: Mutable<Settings>, key: string, value: string, parseSize: ParseSize): void {
  switch (key) {
    case "image":
      settings.image = value === "" ? null : value;
      return;
    case "agent":
      settings.agent = value === "" ? null : value;
      return;
    case "drift":
      settings.drift = parseWord(key, value, DRIFT_WORDS);
      return;
    case "limits.memory":
      settings.memoryBytes = value === "" ? null : parseSize(value);
      return;
    case "limits.cpus":
      settings.cpus = value === "" ? null : parseNumber(key, value, false);
      return;
    case "limits.pids":
      settings.pids = value === "" ? null : parseNumber(key, value, true);
      return;
    case "skills":
      settings.skills = value === "" ? null : parseSkills(value);
      return;
    case "base":
      settings.base = value === "" ? null : value;
      return;
    case "ephemeral":
      settings.ephemeral = parseWord(key, value, BOOLEAN_WORDS) === "true";
      return;
    case "onSuccess":
      settings.onSuccess = parseWord(key, value, SUCCESS_WORDS);
      return;
    case "role":
      settings.role = parseWord(key, value, ROLE_WORDS);
      return;
    case "ports":
      settings.ports = value === "" ? null : value.split(",").map((port) => parseNumber(key, port.trim(), true));
      return;
    case "packages":
      settings.packages = readPackages(value);
      return;
    default:
      throw unknownKey(key);
  }
}

function parseSkills(value: string): "all" | string[] {
  const choice = parseSkillChoice(value);
  return choice === "all" ? choice : [...choice];
}

function readPackages(value: string): { apt: string[]; npm: string[] } | null {
  if (value === "") return null;
  const { apt, npm } = parsePackages(value);
  return { apt: [...apt], npm: [...npm] };
}

/** One of `words`; the first stands for an empty value. */
function parseWord<const W extends readonly string[]>(key: string, value: string, words: W): W[number] {
  const word = words.find((one) => one === (value === "" ? words[0] : value));
  if (word !== undefined) return word;
  throw usage(`${key} cannot be ${JSON.stringify(value)}`, `use one of ${words.join(", ")}`);
}

function parseNumber(key: string, value: string, whole: boolean): number {
  const number = Number(value);
  if (number > 0 && Number.isFinite(number) && (!whole || Number.isInteger(number))) return number;
  throw usage(
    `${key} cannot be ${JSON.stringify(value)}`,
    `write a ${whole ? "whole " : ""}number above 0, as in ${key}=2`,
  );
}

function unknownKey(key: string): AppError {
  if (LATER_KEYS.includes(key))
    return usage(`the setting ${key} is not in this version`, `use one of ${KEYS.join(", ")}, env.NAME`);
  return usage(`unknown setting: ${key}`, didYouMean(key, KEYS) ?? `use one of ${KEYS.join(", ")}, env.NAME`);
}

function usage(message: string, hint: string): AppError {
  return new AppError({ code: "usage.invalid", message, hint });
}
