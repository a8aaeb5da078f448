import path from "node:path";
import type { Command } from "commander";
import { AppError } from "../../base/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { renderWorkspaces } from "../render-lane.ts";
import { addGroup, type DefineVerb } from "../verb.ts";

/** `workspace add`, `workspace ls`, `workspace rm`. */
export function defineWorkspaceVerbs(program: Command, define: DefineVerb): void {
  const group = addGroup(program, "workspace", "repositories lanes are made of");
  define<{ readonly name?: string }>(group, {
    usage: "add [path]",
    summary: "register a repository (the current folder's when left out)",
    options: [["--name <name>", "call it this instead of by its folder"]],
    examples: ["lane workspace add", "lane workspace add ~/src/shop --name shop"],
    exits: ["5  it is registered already"],
    run: add,
  });
  define(group, {
    usage: "ls",
    summary: "list the registered repositories",
    examples: ["lane workspace ls", "lane workspace ls --json"],
    run: list,
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
  const body = {
    path: path.resolve(ctx.io.cwd, given ?? "."),
    ...(opts.name === undefined ? {} : { name: opts.name }),
  };
  const workspace = await api.addWorkspace(body);
  if (ctx.json) await ctx.printJson(workspace);
  else await ctx.print(`workspace ${workspace.name} is ${workspace.path}`);
  return 0;
}

async function list(ctx: Ctx): Promise<number> {
  const workspaces = await (await ctx.api()).listWorkspaces();
  if (ctx.json) await ctx.printJson(workspaces);
  else if (workspaces.length > 0) await ctx.print(...renderWorkspaces(workspaces, renderOptionsOf(ctx)));
  else await ctx.note("no workspaces: `lane workspace add <path>`");
  return 0;
}

async function remove(ctx: Ctx, [named = ""]: readonly string[]): Promise<number> {
  const api = await ctx.api();
  const workspaces = await api.listWorkspaces();
  const workspace = workspaces.find(({ id, name }) => id === named || name === named);
  if (workspace === undefined) {
    throw new AppError({
      code: "workspace.not_found",
      message: `no workspace ${named}`,
      hint: "see `lane workspace ls`",
    });
  }
  await api.removeWorkspace(workspace.id);
  if (ctx.json) await ctx.printJson({ id: workspace.id, name: workspace.name, removed: true });
  else await ctx.print(`workspace ${workspace.name} is forgotten; ${workspace.path} is as it was`);
  return 0;
}
