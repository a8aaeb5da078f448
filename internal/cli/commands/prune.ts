import type { Command } from "commander";
import { toAppError } from "../../base/index.ts";
import type { ApiPrunableLane, ApiRemovedLane } from "../../protocol/index.ts";
import { confirm } from "../confirm.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { renderPrunable, renderRemoved } from "../render-upkeep.ts";
import { plural } from "../text.ts";
import type { DefineVerb } from "../verb.ts";

interface PruneOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly deleteBranch?: boolean;
}

const EXIT_FAILED = 1;

/** `prune`. */
export function definePrune(program: Command, define: DefineVerb): void {
  define<PruneOptions>(program, {
    usage: "prune",
    summary:
      "remove lanes whose work is all in their base, if nothing would be lost, and images that no lane wants; lists lanes first",
    options: [
      ["--dry-run", "list them, change nothing"],
      ["-y, --yes", "do not ask"],
      ["--delete-branch", "their branches too"],
    ],
    examples: ["lane prune --dry-run", "lane prune --yes --delete-branch"],
    exits: ["1  one of them could not be removed"],
    run: prune,
  });
}

async function prune(ctx: Ctx, _: readonly string[], opts: PruneOptions): Promise<number> {
  const api = await ctx.api();
  ctx.progress.update("looking for lanes whose work is merged");
  const lanes = await api.listPrunable();
  await ctx.progress.clear();
  const free = lanes.filter(({ blocked }) => blocked === null);
  if (!ctx.json) {
    if (lanes.length === 0) await ctx.note("no lane whose work is merged");
    else await ctx.print(...renderPrunable(lanes, renderOptionsOf(ctx)));
  }
  if (opts.dryRun || free.length === 0) {
    if (ctx.json) await ctx.printJson(opts.dryRun ? lanes : []);
    if (!opts.dryRun) await pruneImages(ctx);
    return 0;
  }
  const what = `Remove ${plural(free.length, "lane")} with container, volume and worktree?`;
  if (!(await confirm(ctx, what, opts))) return EXIT_FAILED;
  const gone = await removeAll(ctx, free, opts);
  await pruneImages(ctx);
  if (ctx.json) await ctx.printJson(gone);
  return gone.length < free.length ? EXIT_FAILED : 0;
}

/** Images with packages that no lane wants any more; without an engine they stay until the next time. */
async function pruneImages(ctx: Ctx): Promise<void> {
  try {
    const { removed } = await (await ctx.api()).pruneImages();
    for (const name of removed) await ctx.note(`image ${name} removed`);
  } catch (caught) {
    await ctx.note(`images with packages stay: ${toAppError(caught).message}`);
  }
}

/** One after the other; those that could not be removed are told and left out. */
async function removeAll(
  ctx: Ctx,
  lanes: readonly ApiPrunableLane[],
  opts: PruneOptions,
): Promise<readonly ApiRemovedLane[]> {
  const api = await ctx.api();
  const gone: ApiRemovedLane[] = [];
  for (const { lane, name } of lanes) {
    ctx.progress.update(`removing lane ${name}`);
    try {
      const removed = await api.removeLane(
        { ref: lane, workspace: undefined },
        { force: false, deleteBranch: opts.deleteBranch },
      );
      gone.push(removed);
      await ctx.progress.clear();
      if (!ctx.json) await ctx.print(...renderRemoved(removed));
    } catch (caught) {
      await ctx.progress.clear();
      await ctx.note(`lane ${name} stays: ${toAppError(caught).message}`);
    }
  }
  return gone;
}
