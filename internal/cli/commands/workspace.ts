import { existsSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import type { ApiWorkspace } from "../../protocol/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { mergeVariables, parseEnvName } from "../lane-settings.ts";
import { renderWorkspace, renderWorkspaces } from "../render-lane.ts";
import { addGroup, collect, type DefineVerb } from "../verb.ts";
import { readWorkspaceSettings } from "../workspace-settings.ts";
import { resolveWorkspace } from "./config.ts";

/** `workspace add`, `workspace ls`, `workspace rm`. */
export function defineWorkspaceVerbs(program: Command, define: DefineVerb): void {
  const group = addGroup(program, "workspace", "repositories lanes are made of");
  define<{ readonly name?: string }>(group, {
    usage: "add [path-or-url]",
    summary: "register a repository (the current folder's when left out), or clone one and register that",
    options: [["--name <name>", "call it this instead of by its folder"]],
    examples: [
      "lane workspace add",
      "lane workspace add ~/src/shop --name shop",
      "lane workspace add https://example.com/team/shop.git",
      "lane workspace add git@example.com:team/shop.git",
    ],
    exits: ["5  it is registered already"],
    run: add,
  });
  define(group, {
    usage: "ls",
    summary: "list the registered repositories",
    examples: ["lane workspace ls", "lane workspace ls --json"],
    run: list,
  });
  define<{ readonly unset?: readonly string[] }>(group, {
    usage: "set <workspace> <settings...>",
    summary:
      "what its lanes have unless they say otherwise: agent, skills, image, limits.{memory,cpus,pids}, base, ports, packages, env.NAME, setup, teardown",
    options: [["--unset <env.NAME>", "take a variable away; may be repeated", collect]],
    examples: [
      "lane workspace set shop agent=claude limits.memory=4g",
      "lane workspace set shop packages=apt:git-lfs,npm:typescript@5",
      "lane workspace set shop setup='npm ci' setup='npm run build' teardown='npm run clean'",
      "lane workspace set shop setup=",
    ],
    exits: ["3  no such workspace"],
    run: set,
  });
  define(group, {
    usage: "show [workspace]",
    summary: "a repository and what its lanes are made with",
    examples: ["lane workspace show shop"],
    exits: ["3  no such workspace"],
    run: show,
  });
  define(group, {
    usage: "rm <workspace>",
    summary: "forget a repository; the repository itself is not touched",
    examples: ["lane workspace rm shop"],
    exits: ["3  no such workspace", "5  it still has lanes"],
    run: remove,
  });
}

async function add(ctx: Ctx, [given]: readonly string[], opts: { readonly name?: string }): Promise<number> {
  const api = await ctx.api();
  const named = opts.name === undefined ? {} : { name: opts.name };
  const at = path.resolve(ctx.io.cwd, given ?? ".");
  const isUrl = given !== undefined && looksLikeUrl(given) && !existsSync(at);
  const workspace = isUrl ? await clone(ctx, { url: given, ...named }) : await api.addWorkspace({ path: at, ...named });
  if (ctx.json) await ctx.printJson(workspace);
  else await ctx.print(`workspace ${workspace.name} is ${workspace.path}`);
  return 0;
}

/** As git reads it: a transport, or a colon before the first slash. Whether it is a good one, the daemon says. */
function looksLikeUrl(given: string): boolean {
  return /^[^/]*:/.test(given);
}

/** How often it is asked how far the clone is. */
const LOOK_MS = 500;

/** Has the daemon clone; that ends with this program. */
async function clone(ctx: Ctx, body: { readonly url: string; readonly name?: string }): Promise<ApiWorkspace> {
  const api = await ctx.api();
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, ctx.signal]);
  const watch = async () => {
    for (;;) {
      await ctx.clock.sleep(LOOK_MS, { signal });
      const mine = (await api.listClones({ signal })).find(({ url }) => url === body.url);
      if (mine) ctx.progress.update(`cloning ${body.url}: ${mine.phase} ${mine.percent} %`);
    }
  };
  ctx.progress.update(`cloning ${body.url}`);
  // Looking is a courtesy, and on a terminal only: that it fails is no reason to stop.
  const watching = ctx.io.stderr.isTty ? watch().catch(() => undefined) : null;
  try {
    return await api.addWorkspace(body);
  } finally {
    done.abort();
    await watching;
    await ctx.progress.clear();
  }
}

async function list(ctx: Ctx): Promise<number> {
  const workspaces = await (await ctx.api()).listWorkspaces();
  if (ctx.json) await ctx.printJson(workspaces);
  else if (workspaces.length > 0) await ctx.print(...renderWorkspaces(workspaces, renderOptionsOf(ctx)));
  else await ctx.note("no workspaces: `lane workspace add <path>`");
  return 0;
}

async function set(
  ctx: Ctx,
  [named = "", ...words]: readonly string[],
  opts: { readonly unset?: readonly string[] },
): Promise<number> {
  const { settings, env } = await readWorkspaceSettings(words);
  const gone = (opts.unset ?? []).map((name) => parseEnvName(name.replace(/^env\./, "")));
  const workspace = await resolveWorkspace(ctx, named);
  const merged = mergeVariables(workspace.settings?.env, env, gone);
  const changed = await (await ctx.api()).patchWorkspace(workspace.id, {
    settings: { ...settings, ...(merged && { env: merged }) },
  });
  if (ctx.json) await ctx.printJson(changed);
  else await ctx.print(`workspace ${changed.name} is set`);
  return 0;
}

async function show(ctx: Ctx, [named]: readonly string[]): Promise<number> {
  const workspace = await resolveWorkspace(ctx, named);
  if (ctx.json) await ctx.printJson(workspace);
  else await ctx.print(...renderWorkspace(workspace, renderOptionsOf(ctx)));
  return 0;
}

async function remove(ctx: Ctx, [named = ""]: readonly string[]): Promise<number> {
  const api = await ctx.api();
  const workspace = await resolveWorkspace(ctx, named);
  await api.removeWorkspace(workspace.id);
  if (ctx.json) await ctx.printJson({ id: workspace.id, name: workspace.name, removed: true });
  else await ctx.print(`workspace ${workspace.name} is forgotten; ${workspace.path} is as it was`);
  return 0;
}
