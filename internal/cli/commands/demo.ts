import { realpath } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { AppError, hasCode, newId } from "../../base/index.ts";
import { workspaceAt } from "../../lane/index.ts";
import type { ApiLane, ApiWorkspace } from "../../protocol/index.ts";
import type { Api } from "../api.ts";
import { attach } from "../attach.ts";
import { bringUp, renderReadyLane } from "../bring-up.ts";
import { type Ctx, createContext } from "../context.ts";
import type { DaemonProcess } from "../daemon-process.ts";
import { ensureDaemon } from "../ensure-daemon.ts";
import { shortBuild } from "../text.ts";
import type { DefineVerb } from "../verb.ts";
import { stopDaemon } from "./daemon.ts";

interface DemoOptions {
  readonly once?: boolean;
  readonly repo?: string;
}

const LANE = "demo";
const READY_WAIT_MS = 180_000;
const LOOK_MS = 1000;
/** Another demo that started the daemon may stop it just before we use it: then it is started again. */
const TRIES = 4;

/** Proves that the lane is a container of its own with the worktree, Node and the host API in it. */
const PROOF = [
  'set -e; echo "kernel:   $(uname -srm)"; echo "user:     $(id)"; echo "node:     $(node --version)"',
  'echo "host:     $(hostname)"; echo "worktree: $(pwd)"; ls',
  'echo "context from the host API:"; inbox context',
].join("; ");

/** `demo`, what `make run` runs. */
export function defineDemo(program: Command, define: DefineVerb): void {
  define<DemoOptions>(program, {
    usage: "demo",
    summary: "the first run: a workspace, a lane and a command in it",
    options: [
      ["--once", "remove the lane afterwards, and stop laned if this call started it and nothing else uses it"],
      ["--repo <path>", "the repository instead of the current folder's"],
    ],
    examples: ["lane demo", "lane demo --once --repo ~/src/shop"],
    exits: ["5  laned of another build is running", "125  the engine cannot run the lane"],
    hidden: true,
    run: demo,
  });
}

interface Stage {
  readonly started: DaemonProcess | null;
  readonly lane: ApiLane;
  readonly page: string | null;
}

async function demo(ctx: Ctx, _args: readonly string[], opts: DemoOptions): Promise<number> {
  const repo = await realpath(path.resolve(ctx.io.cwd, opts.repo ?? ".")).catch((cause: unknown) => {
    throw new AppError({
      code: "workspace.invalid",
      message: `no folder ${opts.repo ?? "."}`,
      hint: "name a git repository",
      cause,
    });
  });
  const mine: { started: DaemonProcess | null; lane: string | null } = { started: null, lane: null };
  try {
    const stage = await prepare(ctx, repo, mine);
    const code = await runProof(ctx, stage.lane);
    if (opts.once) return code;
    await printNext(ctx, stage, await pageOf(ctx, stage));
    if (stage.started === null) return code;
    await serve(ctx, stage.started);
    return code;
  } finally {
    await cleanUp(ctx, mine, opts.once === true);
  }
}

/** Daemon, workspace, lane, ready; again from the start when the daemon goes away under us. */
async function prepare(
  ctx: Ctx,
  repo: string,
  mine: { started: DaemonProcess | null; lane: string | null },
): Promise<Stage> {
  for (let tries = 1; ; tries++) {
    try {
      const { status, started } = await ensureDaemon(ctx);
      mine.started = started ?? mine.started;
      await ctx.note(
        `laned ${started === null ? "already runs" : "is up"} (pid ${status.pid}, build ${shortBuild(status.build)})`,
      );
      const api = await ctx.api();
      const workspace = await ensureWorkspace(api, repo);
      const made = await ensureLane(api, workspace);
      mine.lane = made.id;
      const lane = await bringUp(ctx, { ref: made.id, workspace: undefined }, "ensure", READY_WAIT_MS);
      await ctx.note(`${renderReadyLane(lane)}, worktree ${lane.worktree}`);
      return { started: mine.started, lane, page: status.api };
    } catch (caught) {
      if (tries === TRIES || !hasCode(caught, "daemon.unreachable", "daemon.stopping")) throw caught;
      await ctx.note("laned went away; starting it again");
    }
  }
}

async function ensureWorkspace(api: Api, repo: string): Promise<ApiWorkspace> {
  try {
    return await api.addWorkspace({ path: repo });
  } catch (caught) {
    if (!hasCode(caught, "workspace.exists")) throw caught;
    const found = workspaceAt(await api.listWorkspaces(), repo);
    if (found === null) throw caught;
    return found;
  }
}

async function ensureLane(api: Api, workspace: ApiWorkspace): Promise<ApiLane> {
  const find = async () => {
    const lanes = await api.listLanes();
    return lanes.find(
      (lane) => lane.name === LANE && (lane.workspace === workspace.id || lane.workspace === workspace.name),
    );
  };
  const found = await find();
  if (found !== undefined) return found;
  try {
    return await api.addLane({ name: LANE, workspace: workspace.id });
  } catch (caught) {
    const rival = hasCode(caught, "lane.exists") ? await find() : undefined;
    if (rival === undefined) throw caught;
    return rival;
  }
}

async function runProof(ctx: Ctx, lane: ApiLane): Promise<number> {
  await ctx.note(`$ lane run ${lane.name} -- sh -c '…'`);
  const api = await ctx.api();
  const key = `demo-${newId(ctx.clock.nowMs())}`;
  return attach(ctx, () =>
    api.submitJob({ ref: lane.id, workspace: undefined }, { kind: "command", argv: ["sh", "-c", PROOF], key }),
  );
}

/** The page's address with a code that logs in, or the bare one. */
async function pageOf(ctx: Ctx, { page }: Stage): Promise<string> {
  if (page === null) return "none";
  const api = await ctx.api();
  return api.issueLoginCode().then(
    ({ url }) => url,
    () => page,
  );
}

async function printNext(ctx: Ctx, { lane, started }: Stage, page: string): Promise<void> {
  await ctx.note(
    [
      "",
      `page:  ${page}`,
      "next:  lane ls",
      `       lane run ${lane.name} -- git log --oneline -3`,
      `       lane shell ${lane.name}`,
      `       lane rm ${lane.name}`,
      ...(started === null ? [] : ["laned keeps serving here until ^C"]),
    ].join("\n"),
  );
}

/** Keeps this process until ^C or the daemon's end. */
async function serve(ctx: Ctx, daemon: DaemonProcess): Promise<void> {
  const gone = new AbortController();
  void daemon.ended.then(() => gone.abort());
  const release = ctx.takeSignals(() => gone.abort());
  try {
    // A sleep keeps the process alive; the daemon and signal handlers do not.
    while (!gone.signal.aborted) await ctx.clock.sleep(LOOK_MS, { signal: gone.signal }).catch(() => {});
  } finally {
    release();
  }
}

/**
 * Takes away what this call made, also after ^C, hence with signals of its own: the lane with `--once`; the daemon when
 * we started it and, with `--once`, no lane is left that others use.
 */
async function cleanUp(
  ctx: Ctx,
  mine: { readonly started: DaemonProcess | null; readonly lane: string | null },
  once: boolean,
): Promise<void> {
  const fresh = createContext(ctx.deps, ctx, null);
  try {
    const api = await fresh.ctx.api();
    if (once && mine.lane !== null) await removeLane(fresh.ctx, api, mine.lane);
    if (mine.started === null || (once && (await api.listLanes()).length > 0)) return;
    await stopDaemon(fresh.ctx);
    await fresh.ctx.note("laned is stopped");
  } catch (caught) {
    // It has ended already: nothing to take away.
    if (!hasCode(caught, "daemon.unreachable", "daemon.stopping")) throw caught;
  } finally {
    await fresh.ctx.progress.clear();
    fresh.dispose();
  }
}

async function removeLane(ctx: Ctx, api: Api, lane: string): Promise<void> {
  ctx.progress.update("removing lane demo");
  try {
    await api.removeLane({ ref: lane, workspace: undefined }, { force: false });
    await ctx.note("lane demo is removed");
  } catch (caught) {
    if (!hasCode(caught, "lane.would_lose_work")) throw caught;
    await ctx.note(`lane demo is kept: ${caught.message}`);
  }
}
