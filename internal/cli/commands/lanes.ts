import type { Command } from "commander";
import { AppError, parseDurationMs } from "../../base/index.ts";
import type { AddLane, ApiLaneDisk, PlanIntent } from "../../protocol/index.ts";
import { bringUp, renderReadyLane } from "../bring-up.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { readSettings } from "../read-settings.ts";
import { renderDrift, renderHistory, renderLane, renderLanes, renderPlan, renderSynced } from "../render-lane.ts";
import { renderDisk, renderDisks } from "../render-upkeep.ts";
import { collect, type DefineVerb } from "../verb.ts";

interface AddOptions extends WorkspaceOption {
  readonly from?: string;
  readonly branch?: string;
  readonly agent?: string;
  readonly image?: string;
  readonly set?: readonly string[];
  readonly ephemeral?: boolean;
  readonly base?: string;
  readonly wait?: number;
  readonly dryRun?: boolean;
}

interface DiskOption {
  readonly disk?: boolean;
}

const INTENTS: readonly PlanIntent[] = ["ensure", "stop", "restart", "recreate", "remove"];
const HISTORY_DEFAULT = 50;
const EXIT_DIVERGED = 5;
const ENSURE_WAIT_MS = 120_000;

/** `add`, `ls`, `show`, `sync`, `plan`, `drift`, `history`. */
export function defineLaneVerbs(program: Command, define: DefineVerb): void {
  define<AddOptions>(program, {
    usage: "add <name>",
    summary: "make a lane: a branch, its worktree and its container, and wait until it is ready",
    options: [
      ["-w, --workspace <name>", "in this workspace; the current folder's when left out"],
      ["--from <ref>", "start a new branch here instead of at the remote's of its name or at HEAD"],
      ["--branch <name>", "use this branch, or a remote's, instead of one of the lane's name"],
      ["--base <ref>", "compare and merge with this instead of the repository's present branch"],
      ["--ephemeral", "remove the lane by itself once its job has succeeded and its work is safe"],
      ["--agent <name>", "the agent that prompts go to"],
      ["--image <ref>", "another image than the runtime image"],
      ["--set <key=value>", "a setting, as in `lane set`; may be repeated", collect],
      ["--wait <duration>", "wait this long for it to be ready; 0s: not at all", parseDurationMs],
      ["--dry-run", "print what would happen, change nothing"],
    ],
    examples: [
      "lane add fix-login",
      "lane add review --branch origin/pr-12",
      "lane add once --ephemeral && lane run once -- make release",
      "lane add big --set limits.memory=8g",
    ],
    exits: [
      "3  no such workspace",
      "5  a lane of that name exists",
      "7  it was not ready in time",
      "125  the engine cannot run it",
    ],
    run: add,
  });
  define<DiskOption>(program, {
    usage: "ls",
    summary: "list the lanes",
    options: [["--disk", "what they take on the disk; may take a while"]],
    examples: ["lane ls", "lane ls --disk", "lane ls --json | jq -r '.[].name'"],
    run: list,
  });
  define<WorkspaceOption & DiskOption>(program, {
    usage: "show [lane]",
    summary: "everything about a lane",
    options: [WORKSPACE_OPTION, ["--disk", "also what it takes on the disk; may take a while"]],
    examples: ["lane show fix-login", "lane show              # the lane of the current folder"],
    exits: ["3  no such lane"],
    run: show,
  });
  define<WorkspaceOption>(program, {
    usage: "sync [lane]",
    summary: "bring a lane's branch to the same commits in the lane and on the host; happens by itself after each job",
    options: [WORKSPACE_OPTION],
    examples: ["lane sync fix-login"],
    exits: ["3  no such lane", "5  lane and host have gone apart: nothing was moved"],
    run: sync,
  });
  define<WorkspaceOption & { readonly for?: string }>(program, {
    usage: "plan [lane]",
    summary: "what would be done to a lane's container, with causes; changes nothing",
    options: [WORKSPACE_OPTION, ["--for <intent>", `for one of ${INTENTS.join(", ")} (default ensure)`, parseIntent]],
    examples: ["lane plan fix-login", "lane plan fix-login --for remove"],
    exits: ["3  no such lane"],
    run: plan,
  });
  define<WorkspaceOption & { readonly exitCode?: boolean }>(program, {
    usage: "drift [lane]",
    summary: "what differs between a lane's container and what it should be, field by field",
    options: [WORKSPACE_OPTION, ["--exit-code", "exit 5 when it has drifted"]],
    examples: ["lane drift fix-login", "lane drift fix-login --exit-code >/dev/null || lane recreate fix-login"],
    exits: ["3  no such lane", "5  it has drifted (with --exit-code)"],
    run: drift,
  });
  define<WorkspaceOption & { readonly limit?: number }>(program, {
    usage: "history [lane]",
    summary: "what happened to a lane and why, oldest first",
    options: [
      WORKSPACE_OPTION,
      ["-n, --limit <count>", `at most this many entries (default ${HISTORY_DEFAULT})`, parseCount],
    ],
    examples: ["lane history fix-login", "lane history fix-login -n 200 --json"],
    exits: ["3  no such lane"],
    run: history,
  });
}

/** A whole number above 0. @throws usage.invalid */
export function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new AppError({
    code: "usage.invalid",
    message: `not a count: ${JSON.stringify(text)}`,
    hint: "write a whole number above 0",
  });
}

function parseIntent(text: string): PlanIntent {
  const intent = INTENTS.find((one) => one === text);
  if (intent !== undefined) return intent;
  throw new AppError({
    code: "usage.invalid",
    message: `no plan for ${JSON.stringify(text)}`,
    hint: `use one of ${INTENTS.join(", ")}`,
  });
}

async function add(ctx: Ctx, [name = ""]: readonly string[], opts: AddOptions): Promise<number> {
  const api = await ctx.api();
  const { settings, env } = await readSettings(settingsOf(opts));
  const all = Object.keys(env).length === 0 ? settings : { ...settings, env };
  const body: AddLane = {
    name,
    workspace: opts.workspace ?? ctx.io.cwd,
    ...(opts.from === undefined ? {} : { from: opts.from }),
    ...(opts.branch === undefined ? {} : { branch: opts.branch }),
    ...(Object.keys(all).length === 0 ? {} : { settings: all }),
  };
  if (opts.dryRun) {
    const steps = await api.planAddLane(body);
    if (ctx.json) await ctx.printJson(steps);
    else await ctx.print(...renderPlan(steps, ctx.style));
    return 0;
  }
  ctx.progress.update(`making lane ${name}`);
  const made = await api.addLane(body);
  const lane = await bringUp(ctx, { ref: made.id, workspace: undefined }, "ensure", opts.wait ?? ENSURE_WAIT_MS);
  const { notices = [] } = made;
  for (const notice of notices) await ctx.note(notice);
  if (ctx.json) await ctx.printJson(notices.length === 0 ? lane : { ...lane, notices });
  else await ctx.print(renderReadyLane(lane), `worktree ${lane.worktree} on branch ${lane.branch}`);
  return 0;
}

/** The settings that options stand for, in the words of `lane set`. */
function settingsOf({ set = [], agent, image, base, ephemeral }: AddOptions): readonly string[] {
  const named = Object.entries({ agent, image, base }).filter(([, value]) => value !== undefined);
  return [...set, ...named.map(([key, value]) => `${key}=${value}`), ...(ephemeral ? ["ephemeral=true"] : [])];
}

async function list(ctx: Ctx, _: readonly string[], opts: DiskOption): Promise<number> {
  const api = await ctx.api();
  if (opts.disk) return listDisk(ctx);
  const lanes = await api.listLanes({ git: true });
  if (ctx.json) await ctx.printJson(lanes);
  else if (lanes.length > 0) await ctx.print(...renderLanes(lanes, await api.listWorkspaces(), renderOptionsOf(ctx)));
  else await ctx.note("no lanes: `lane add <name>`");
  return 0;
}

async function listDisk(ctx: Ctx): Promise<number> {
  const api = await ctx.api();
  const lanes = await api.listLanes();
  const disks: ApiLaneDisk[] = [];
  for (const { id, name } of lanes) {
    ctx.progress.update(`measuring lane ${name}`);
    disks.push(await api.diskOfLane({ ref: id, workspace: undefined }));
  }
  await ctx.progress.clear();
  const nameOf = (lane: string) => lanes.find(({ id }) => id === lane)?.name ?? lane;
  if (ctx.json) await ctx.printJson(disks);
  else await ctx.print(...renderDisks(disks, nameOf, renderOptionsOf(ctx)));
  return 0;
}

async function show(ctx: Ctx, [named]: readonly string[], opts: WorkspaceOption & DiskOption): Promise<number> {
  const api = await ctx.api();
  const lane = await api.showLane(await resolveLane(ctx, named, opts));
  const disk = opts.disk ? await api.diskOfLane({ ref: lane.id, workspace: undefined }) : null;
  const shown = disk === null ? [] : ["", `disk: ${renderDisk(disk)}`];
  if (ctx.json) await ctx.printJson(disk === null ? lane : { ...lane, disk });
  else await ctx.print(...renderLane(lane, renderOptionsOf(ctx)), ...shown);
  return 0;
}

async function sync(ctx: Ctx, [named]: readonly string[], opts: WorkspaceOption): Promise<number> {
  const lane = await (await ctx.api()).syncLane(await resolveLane(ctx, named, opts));
  if (ctx.json) await ctx.printJson(lane);
  else await ctx.print(...renderSynced(lane));
  return lane.git?.diverged ? EXIT_DIVERGED : 0;
}

async function plan(
  ctx: Ctx,
  [named]: readonly string[],
  opts: WorkspaceOption & { readonly for?: string },
): Promise<number> {
  await printPlan(ctx, named, opts, parseIntent(opts.for ?? "ensure"));
  return 0;
}

/** Prints what an act would do: the answer to `plan` and to every `--dry-run` on a lane. */
export async function printPlan(
  ctx: Ctx,
  named: string | undefined,
  opts: WorkspaceOption,
  intent: PlanIntent,
): Promise<void> {
  const steps = await (await ctx.api()).planLane(await resolveLane(ctx, named, opts), intent);
  if (ctx.json) await ctx.printJson(steps);
  else await ctx.print(...renderPlan(steps, ctx.style));
}

async function drift(
  ctx: Ctx,
  [named]: readonly string[],
  opts: WorkspaceOption & { readonly exitCode?: boolean },
): Promise<number> {
  const api = await ctx.api();
  const lane = await resolveLane(ctx, named, opts);
  const found = await api.driftOfLane(lane);
  if (ctx.json) await ctx.printJson(found);
  else await ctx.print(...renderDrift(found, named ?? found.lane));
  return opts.exitCode && found.fields.length > 0 ? 5 : 0;
}

async function history(
  ctx: Ctx,
  [named]: readonly string[],
  opts: WorkspaceOption & { readonly limit?: number },
): Promise<number> {
  const lane = await resolveLane(ctx, named, opts);
  const entries = await (await ctx.api()).historyOfLane(lane, opts.limit ?? HISTORY_DEFAULT);
  if (ctx.json) await ctx.printJson(entries);
  else if (entries.length > 0) await ctx.print(...renderHistory(entries, renderOptionsOf(ctx)));
  else await ctx.note("nothing has happened yet");
  return 0;
}
