import { AppError, didYouMean } from "../base/index.ts";
import {
  type DefaultFacts,
  isSettingKey,
  KEYS,
  SETTING_KEYS,
  type SettingKey,
  type SettingValues,
  variablesOf,
} from "./keys.ts";
import type { Env } from "./paths.ts";
import { type Settings, toSettings } from "./settings.ts";
import { type ConfigFile, type FileValue, parseConfigFile } from "./yaml-file.ts";

/** Where a value comes from. */
export type Origin =
  | { readonly kind: "flag" }
  | { readonly kind: "env"; readonly variable: string }
  | { readonly kind: "file"; readonly path: string; readonly line: number }
  | { readonly kind: "default" };

/** Validated settings, each with its origin. */
export interface LoadedConfig {
  readonly settings: Settings;
  /** The same values by name, for `lane config`. */
  readonly values: SettingValues;
  readonly origins: Readonly<Record<SettingKey, Origin>>;
}

/** What settings are made of. */
export interface ConfigSources {
  /** Values given on the command line, by setting name. */
  readonly flags?: Readonly<Record<string, string | undefined>> | undefined;
  readonly env: Env;
  /** Files of the user, the one that wins first. */
  readonly files: readonly ConfigFile[];
  readonly facts: DefaultFacts;
}

/**
 * Settings by precedence: flag, environment, file, default. An empty variable counts as not set.
 * @throws config.invalid for the first wrong value, naming the setting and where it stands; usage.invalid for flags
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const flags = sources.flags ?? {};
  for (const name of Object.keys(flags)) {
    if (!isSettingKey(name)) {
      throw new AppError({
        code: "usage.invalid",
        message: `unknown setting ${JSON.stringify(name)}`,
        hint: didYouMean(name, SETTING_KEYS),
      });
    }
  }
  const files = sources.files.map(parseConfigFile);
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const name of SETTING_KEYS) {
    const { raw, origin } = pick(name, flags, sources.env, files);
    origins[name] = origin;
    values[name] = origin.kind === "default" ? KEYS[name].fallback(sources.facts) : parseValue(name, raw, origin);
  }
  // The loop above has filled in every name of the table, each by that name's own schema.
  const typed = values as unknown as SettingValues;
  return { settings: toSettings(typed), values: typed, origins: origins as Record<SettingKey, Origin> };
}

/** Did somebody say so, or is it the default? */
export function isConfigured(config: LoadedConfig, name: SettingKey): boolean {
  return config.origins[name].kind !== "default";
}

/** An origin for people: `flag`, `LANEKEEPER_API_PORT`, `/home/me/.config/lanekeeper/config.yaml:3`, `default`. */
export function renderOrigin(origin: Origin): string {
  if (origin.kind === "env") return origin.variable;
  return origin.kind === "file" ? `${origin.path}:${origin.line}` : origin.kind;
}

function pick(
  name: SettingKey,
  flags: Readonly<Record<string, string | undefined>>,
  env: Env,
  files: readonly ReadonlyMap<SettingKey, FileValue>[],
): { readonly raw: unknown; readonly origin: Origin } {
  const flag = flags[name];
  if (flag !== undefined) return { raw: flag, origin: { kind: "flag" } };
  for (const variable of variablesOf(name)) {
    const value = env[variable];
    if (value !== undefined && value !== "") return { raw: value, origin: { kind: "env", variable } };
  }
  for (const file of files) {
    const entry = file.get(name);
    if (entry !== undefined) return { raw: entry.value, origin: { kind: "file", path: entry.path, line: entry.line } };
  }
  return { raw: undefined, origin: { kind: "default" } };
}

function parseValue(name: SettingKey, raw: unknown, origin: Origin): unknown {
  const parsed = KEYS[name].schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const inside = issue === undefined || issue.path.length === 0 ? "" : ` (${issue.path.join(".")})`;
  const shown = JSON.stringify(raw) ?? String(raw);
  throw new AppError({
    code: origin.kind === "flag" ? "usage.invalid" : "config.invalid",
    message: `${origin.kind === "flag" ? "" : `${renderOrigin(origin)}: `}${name} is ${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}${inside}: ${issue?.message ?? "not valid"}`,
    hint: `${name}: ${KEYS[name].help}`,
    details: { setting: name, ...(origin.kind === "file" ? { path: origin.path, line: origin.line } : {}) },
  });
}
