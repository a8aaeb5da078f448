import type { Command } from "commander";
import { AppError, hasCode } from "../../base/index.ts";
import type { ApiLaneMerge, MergeLane } from "../../protocol/index.ts";
import type { LaneRef } from "../api.ts";
import { confirm } from "../confirm.ts";
import type { Ctx } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { renderFlags, renderLeftOut, renderMerge } from "../render-diff.ts";
import { toPlain } from "../text.ts";
import type { DefineVerb } from "../verb.ts";

interface MergeOptions extends WorkspaceOption {
  readonly into?: string;
  readonly ff?: boolean;
  readonly merge?: boolean;
  readonly squash?: boolean;
  readonly message?: string;
  readonly allowFlagged?: boolean;
  readonly dryRun?: boolean;
}

const EXIT_DECLINED = 1;

/** `merge`. */
export function defineMerge(program: Command, define: DefineVerb): void {
  define<MergeOptions>(program, {
    usage: "merge <lane>",
    summary: "bring a lane's commits into its base or another branch: all of it, or nothing",
    options: [
      WORKSPACE_OPTION,
      ["--into <branch>", "into this branch instead of the lane's base"],
      ["--ff", "only by moving the branch"],
      ["--merge", "with a merge commit, also where moving the branch would do"],
      ["--squash", "as one commit"],
      ["-m, --message <text>", "message of the new commit"],
      ["--allow-flagged", "also files that programs of this host would run or obey"],
      ["--dry-run", "say what would be done, change nothing"],
    ],
    examples: [
      "lane merge fix-login --dry-run",
      "lane merge fix-login",
      'lane merge fix-login --squash -m "Fix the login" --into release',
    ],
    exits: ["3  no such lane", "5  conflict, or flagged files: they are named, and nothing was changed"],
    run: merge,
  });
}

async function merge(ctx: Ctx, [named]: readonly string[], opts: MergeOptions): Promise<number> {
  const lane = await resolveLane(ctx, named, opts);
  const strategy = strategyOf(opts);
  const body: MergeLane = {
    ...(opts.into === undefined ? {} : { into: opts.into }),
    ...(strategy === null ? {} : { strategy }),
    ...(opts.message === undefined ? {} : { message: opts.message }),
    ...(opts.allowFlagged ? { allowFlagged: true } : {}),
    ...(opts.dryRun ? { dryRun: true } : {}),
  };
  const merged = await mergeAsking(ctx, lane, body);
  if (merged === null) return EXIT_DECLINED;
  if (ctx.json) {
    await ctx.printJson(merged);
    return 0;
  }
  await ctx.print(...renderMerge(merged, named ?? merged.lane), ...renderFlags(merged.flagged, ctx.style));
  const leftOut = renderLeftOut(merged);
  if (leftOut !== null) await ctx.note(leftOut);
  return 0;
}

/** Asks about flagged files where somebody is there to be asked; null when they said no. */
async function mergeAsking(ctx: Ctx, lane: LaneRef, body: MergeLane): Promise<ApiLaneMerge | null> {
  const api = await ctx.api();
  try {
    return await api.mergeLane(lane, body);
  } catch (error) {
    const canAsk = !ctx.json && ctx.io.stdin.isTty && ctx.io.stderr.isTty;
    if (!hasCode(error, "git.flagged") || !canAsk) throw error;
    const { flagged } = error.details;
    for (const line of Array.isArray(flagged) ? flagged : []) {
      await ctx.io.stderr.write(`${ctx.style.yellow("!")} ${toPlain(String(line))}\n`);
    }
    if (!(await confirm(ctx, "Programs of this host would run or obey these. Merge all the same?", {}))) return null;
    return api.mergeLane(lane, { ...body, allowFlagged: true });
  }
}

function strategyOf({ ff, merge, squash }: MergeOptions): "ff" | "merge" | "squash" | null {
  const [chosen = null, ...more] = [
    ...(ff ? ["ff" as const] : []),
    ...(merge ? ["merge" as const] : []),
    ...(squash ? ["squash" as const] : []),
  ];
  if (more.length === 0) return chosen;
  throw new AppError({
    code: "usage.invalid",
    message: "--ff, --merge and --squash exclude each other",
    hint: "give one of them, or none for a fast-forward where possible and a merge commit else",
  });
}
