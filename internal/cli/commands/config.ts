import type { Command } from "commander";
import { AppError } from "../../base/index.ts";
import { workspaceAt } from "../../lane/index.ts";
import type { ApiRepository, ApiWorkspace } from "../../protocol/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { renderRepository, renderSettings } from "../render-config.ts";
import { addGroup, type DefineVerb } from "../verb.ts";
import { get, printPath, set, showSettings } from "./config-file.ts";

interface ApproveOptions {
  readonly pin?: string;
  readonly base?: string;
  readonly deny?: boolean;
}

interface ShowOptions extends WorkspaceOption {
  readonly lane?: string;
  readonly origin?: boolean;
}

/** `config path`, `get`, `set`, `show`, `repository`, `approve`. */
export function defineConfigVerbs(program: Command, define: DefineVerb): void {
  const group = addGroup(
    program,
    "config",
    "settings: of this installation, in force for a lane, asked for by a repository",
  );
  define(group, {
    usage: "path",
    summary: "where this installation's own configuration is",
    examples: ["lane config path"],
    run: printPath,
  });
  define(group, {
    usage: "get <key>",
    summary: "one setting of this installation",
    examples: ["lane config get limits.memory"],
    run: get,
  });
  define(group, {
    usage: "set <key> <value>",
    summary: "change one setting of this installation; empty: the default. laned reads it at its next start",
    examples: ["lane config set limits.memory 4g", "lane config set agents.claude.args '[--verbose]'"],
    run: set,
  });
  define<ShowOptions>(group, {
    usage: "show",
    summary: "the installation's settings; with --lane those in force for a lane, whoever has said them",
    options: [["--lane <lane>", "of this lane"], ["--origin", "print who has said each"], WORKSPACE_OPTION],
    examples: ["lane config show --origin", "lane config show --lane fix-login --origin"],
    exits: ["3  no such lane"],
    run: show,
  });
  define<{ readonly base?: string }>(group, {
    usage: "repository [workspace]",
    summary: "the repository's own .lanekeeper.yaml as its base has it, and what of it waits for approval",
    options: [["--base <ref>", "as this branch or commit has it"]],
    examples: ["lane config repository shop", "lane config repository shop --base release"],
    exits: ["3  no such workspace"],
    run: repository,
  });
  define<ApproveOptions>(group, {
    usage: "approve [workspace]",
    summary: "allow what .lanekeeper.yaml asks for beyond what was configured: exactly this content, in this workspace",
    options: [
      ["--pin <digest>", "only if it is this content, by the beginning of its digest"],
      ["--base <ref>", "as this branch or commit has it"],
      ["--deny", "say no: nobody is asked about this content again"],
    ],
    examples: ["lane config repository shop && lane config approve shop --pin 3f9a1c22b0de"],
    exits: ["3  no such workspace", "5  it asks for something else by now"],
    run: approve,
  });
}

async function show(ctx: Ctx, _: readonly string[], opts: ShowOptions): Promise<number> {
  const origin = opts.origin ?? false;
  if (opts.lane === undefined) return showSettings(ctx, { origin });
  const ref = await resolveLane(ctx, opts.lane, opts);
  const config = await (await ctx.api()).configOfLane(ref);
  if (ctx.json) await ctx.printJson(config);
  else await ctx.print(...renderSettings(config.values, { ...renderOptionsOf(ctx), origin }));
  return 0;
}

async function repository(ctx: Ctx, [named]: readonly string[], opts: { readonly base?: string }): Promise<number> {
  const workspace = await resolveWorkspace(ctx, named);
  await printRepository(ctx, await (await ctx.api()).showRepository(workspace.id, opts.base), workspace.name);
  return 0;
}

async function approve(ctx: Ctx, [named]: readonly string[], opts: ApproveOptions): Promise<number> {
  const workspace = await resolveWorkspace(ctx, named);
  const api = await ctx.api();
  const { asked } = await api.showRepository(workspace.id, opts.base);
  if (asked === null) {
    await ctx.note(`.lanekeeper.yaml of ${workspace.name} asks for nothing that needs approval`);
    return 0;
  }
  if (opts.pin !== undefined && !asked.sha256.startsWith(opts.pin.toLowerCase())) {
    throw new AppError({
      code: "request.key_conflict",
      message: `.lanekeeper.yaml of ${workspace.name} asks for something else by now (${asked.sha256.slice(0, 12)})`,
      hint: `look again: lane config repository ${workspace.name}`,
    });
  }
  const word = opts.deny ? "denied" : "approved";
  const base = opts.base === undefined ? {} : { base: opts.base };
  await printRepository(
    ctx,
    await api.approveRepository(workspace.id, { sha256: asked.sha256, word, ...base }),
    workspace.name,
  );
  return 0;
}

async function printRepository(ctx: Ctx, file: ApiRepository, workspace: string): Promise<void> {
  if (ctx.json) await ctx.printJson(file);
  else await ctx.print(...renderRepository(file, workspace));
}

/** The workspace named, the current folder's, or the only one. @throws workspace.not_found */
export async function resolveWorkspace(ctx: Ctx, named: string | undefined): Promise<ApiWorkspace> {
  const workspaces = await (await ctx.api()).listWorkspaces();
  const only = workspaces.length === 1 ? workspaces[0] : undefined;
  const found =
    named === undefined
      ? (workspaceAt(workspaces, ctx.io.cwd) ?? only)
      : workspaces.find(({ id, name }) => id === named || name === named);
  if (found) return found;
  throw new AppError({
    code: "workspace.not_found",
    message: named === undefined ? "no workspace named" : `no workspace ${named}`,
    hint: "see `lane workspace ls`",
  });
}
