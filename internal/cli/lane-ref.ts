import path from "node:path";
import { AppError } from "../base/index.ts";
import type { ApiLane, ApiWorkspace } from "../protocol/index.ts";
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
  const api = await ctx.api();
  if (named !== undefined) {
    const workspace = opts.workspace ?? findWorkspace(await api.listWorkspaces(), ctx.io.cwd)?.id;
    return { ref: named, workspace };
  }
  const lane = findLane(await api.listLanes(), ctx.io.cwd);
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

/** The workspace a new lane belongs to by the current folder; `null` outside all of them. */
export function findWorkspace(workspaces: readonly ApiWorkspace[], cwd: string): ApiWorkspace | null {
  // Worktrees stand beside the repository, in `<repo>.lanes`.
  return deepest(workspaces, ({ path: root }) => (isWithin(root, cwd) || isWithin(`${root}.lanes`, cwd) ? root : null));
}

/** The lane whose worktree holds the folder. */
export function findLane(lanes: readonly ApiLane[], cwd: string): ApiLane | null {
  return deepest(lanes, ({ worktree }) => (isWithin(worktree, cwd) ? worktree : null));
}

/** Of the things with a folder that matches, the one with the longest: nested repositories win over their parents. */
function deepest<T>(things: readonly T[], folderOf: (thing: T) => string | null): T | null {
  let best: { readonly thing: T; readonly length: number } | null = null;
  for (const thing of things) {
    const length = folderOf(thing)?.length ?? -1;
    if (length > (best?.length ?? -1)) best = { thing, length };
  }
  return best?.thing ?? null;
}

function isWithin(parent: string, child: string): boolean {
  const relative = path.relative(parent, child);
  return relative === "" || (relative !== ".." && !relative.startsWith("../") && !path.isAbsolute(relative));
}
