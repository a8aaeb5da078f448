import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import { AppError, didYouMean, errnoOf } from "../../base/index.ts";
import type { LoadedConfig } from "../../config/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { renderSettings, renderValue } from "../render-config.ts";

/** The parsers of the configuration: only these verbs pay for them. */
const loadParsers = () => import("../../config/index.ts");

/** `config path`. */
export async function printPath(ctx: Ctx): Promise<number> {
  const { configFile } = await ctx.deps.locate();
  if (ctx.json) await ctx.printJson({ path: configFile });
  else await ctx.print(configFile);
  return 0;
}

/** `config get`. */
export async function get(ctx: Ctx, [key = ""]: readonly string[]): Promise<number> {
  const { values, origins } = await load(ctx);
  const { isSettingKey, SETTING_KEYS, renderOrigin } = await loadParsers();
  if (!isSettingKey(key)) {
    throw new AppError({
      code: "usage.invalid",
      message: `unknown setting ${JSON.stringify(key)}`,
      hint: didYouMean(key, SETTING_KEYS) ?? "see: lane config show",
    });
  }
  if (ctx.json) await ctx.printJson({ key, value: values[key], origin: renderOrigin(origins[key]) });
  else await ctx.print(renderValue(values[key]));
  return 0;
}

/** `config set`. */
export async function set(ctx: Ctx, [key = "", value = ""]: readonly string[]): Promise<number> {
  const { configFile } = await ctx.deps.locate();
  const { editConfigFile } = await loadParsers();
  const file = { path: configFile, text: await readText(configFile) };
  const text = editConfigFile(file, { key, value }, { cores: availableParallelism() });
  await mkdir(path.dirname(configFile), { recursive: true, mode: 0o700 });
  // Whole or not at all: laned may read it at any moment.
  const draft = `${configFile}.${process.pid}.new`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, configFile);
  if (ctx.json) await ctx.printJson({ key, path: configFile });
  else await ctx.print(`${configFile} is changed; laned reads it at its next start: lane down && lane up`);
  return 0;
}

/** `config show` without a lane: the installation's settings. */
export async function showSettings(ctx: Ctx, opts: { readonly origin: boolean }): Promise<number> {
  const { values, origins } = await load(ctx);
  const { SETTING_KEYS, renderOrigin } = await loadParsers();
  const rows = SETTING_KEYS.map((key) => ({ key, value: values[key], origin: renderOrigin(origins[key]) }));
  if (ctx.json) await ctx.printJson(rows);
  else await ctx.print(...renderSettings(rows, { ...renderOptionsOf(ctx), ...opts }));
  return 0;
}

/** As laned would read it, if it was started here. */
async function load(ctx: Ctx): Promise<LoadedConfig> {
  const { configFile } = await ctx.deps.locate();
  const { loadConfig, readConfigFiles } = await loadParsers();
  const files = await readConfigFiles([configFile], { signal: ctx.signal });
  return loadConfig({ env: ctx.io.env, files, facts: { cores: availableParallelism() } });
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT") return "";
    throw caught;
  }
}
