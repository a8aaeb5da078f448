import { AppError } from "../base/index.ts";
import { laneAt } from "../lane/index.ts";
import type { LaneRef } from "./api.ts";
import type { Ctx } from "./context.ts";

/** The option of verbs that name a lane. */
export interface WorkspaceOption {
  readonly workspace?: string | undefined;
}

/** `-w` for verbs that name a lane. */
export const WORKSPACE_OPTION = ["-w, --workspace <name>", "look for the lane in this workspace first"] as const;

/**
 * The lane a verb means: the one named, else the one whose worktree holds the current folder.
 * @throws usage.invalid when none is named and the current folder is in no lane
 */
export async function resolveLane(ctx: Ctx, named: string | undefined, opts: WorkspaceOption): Promise<LaneRef> {
  // Of several lanes of that name, the daemon takes the one whose workspace the current folder is in.
  if (named !== undefined) return { ref: named, workspace: opts.workspace ?? ctx.io.cwd };
  const lane = laneAt(await (await ctx.api()).listLanes(), ctx.io.cwd);
  if (lane !== null) return { ref: lane.id, workspace: undefined };
  throw new AppError({
    code: "usage.invalid",
    message: `no lane named, and ${ctx.io.cwd} is in no lane's worktree`,
    hint: "name one of `lane ls`",
  });
}

/** The id of the lane that an option names. @throws lane.not_found, lane.ambiguous */
export async function resolveLaneId(ctx: Ctx, named: string): Promise<string> {
  return (await (await ctx.api()).showLane(await resolveLane(ctx, named, {}))).id;
}
