import type { Command } from "commander";
import { AppError } from "../../base/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { renderAgents, renderBytes } from "../render-agents.ts";
import { addGroup, type DefineVerb } from "../verb.ts";

/** `agents ls`, `agents install`, `agents use`, `agents rm`. */
export function defineAgentVerbs(program: Command, define: DefineVerb): void {
  const group = addGroup(program, "agents", "the coding agents that lanes have");
  define(group, {
    usage: "ls",
    summary: "list agents, their installed versions and logins; * is what lanes get",
    examples: ["lane agents ls", "lane agents ls --json"],
    run: list,
  });
  define(group, {
    usage: "install <agent@version>",
    summary: "install a version from npm; the first one of an agent is used at once",
    examples: ["lane agents install claude@2.1.329", "lane agents install codex@latest"],
    exits: ["3  no such agent or version"],
    run: install,
  });
  define(group, {
    usage: "use <agent@version>",
    summary: "set the version that lanes get, or none; lanes are recreated when idle",
    examples: ["lane agents use claude@2.1.329", "lane agents use claude@none"],
    exits: ["3  no such agent, or not installed"],
    run: use,
  });
  define(group, {
    usage: "rm <agent@version>",
    summary: "remove an installed version that no lane has",
    examples: ["lane agents rm claude@2.1.328"],
    exits: ["3  no such agent, or not installed", "5  it is in use"],
    run: remove,
  });
}

async function list(ctx: Ctx): Promise<number> {
  const agents = await (await ctx.api()).listAgents();
  if (ctx.json) await ctx.printJson(agents);
  else await ctx.print(...renderAgents(agents, renderOptionsOf(ctx)));
  return 0;
}

async function install(ctx: Ctx, [word = ""]: readonly string[]): Promise<number> {
  const wanted = parsePinned(word);
  const api = await ctx.api();
  ctx.progress.update(`installing ${word}`);
  const version = await api.installAgent(wanted);
  if (ctx.json) {
    await ctx.printJson(version);
    return 0;
  }
  const what = `${version.agent}@${version.version}`;
  await ctx.print(`${what} is installed (${renderBytes(version.bytes)})${version.inUse ? " and in use" : ""}`);
  if (!version.inUse) await ctx.note(`lanes get another version: \`lane agents use ${what}\` changes that`);
  return 0;
}

async function use(ctx: Ctx, [word = ""]: readonly string[]): Promise<number> {
  const { agent, version } = parsePinned(word);
  const used = await (await ctx.api()).useAgent(agent, { version: version === "none" ? null : version });
  if (ctx.json) await ctx.printJson(used);
  else if (used.inUse === null) await ctx.print(`lanes get no ${used.agent}`);
  else await ctx.print(`lanes get ${used.agent}@${used.inUse}`);
  return 0;
}

async function remove(ctx: Ctx, [word = ""]: readonly string[]): Promise<number> {
  const { agent, version } = parsePinned(word);
  await (await ctx.api()).removeAgent(agent, version);
  if (ctx.json) await ctx.printJson({ agent, version, removed: true });
  else await ctx.print(`${agent}@${version} is removed`);
  return 0;
}

/** `<agent>@<version>`. @throws usage.invalid */
function parsePinned(word: string): { readonly agent: string; readonly version: string } {
  const [, agent, version] = /^([^@]+)@([^@]+)$/.exec(word) ?? [];
  if (agent !== undefined && version !== undefined) return { agent, version };
  throw new AppError({
    code: "usage.invalid",
    message: `${JSON.stringify(word)} names no agent with a version`,
    hint: `write it as claude@2.1.329${/^\w+$/.test(word) ? `, or ${word}@latest to install the latest` : ""}`,
  });
}
