import type { Command } from "commander";
import { hasCode } from "../../base/index.ts";
import type { ApiFeedEntry } from "../../protocol/index.ts";
import { awayHooks } from "../attach.ts";
import type { Ctx } from "../context.ts";
import { followFeed } from "../follow-feed.ts";
import { resolveLaneId } from "../lane-ref.ts";
import { toPlain } from "../text.ts";
import { collect, type DefineVerb } from "../verb.ts";
import { parseCount } from "./lanes.ts";

interface EventsOptions {
  readonly follow?: boolean;
  readonly after?: number;
  readonly lane?: string;
  readonly type?: readonly string[];
}

/** Is the entry one of those asked for? */
type Wanted = (entry: ApiFeedEntry) => boolean;

const PAGE = 500;

/** `events`. */
export function defineEvents(program: Command, define: DefineVerb): void {
  define<EventsOptions>(program, {
    usage: "events",
    summary: "what happens to lanes, jobs, workspaces and the inbox",
    options: [
      ["-f, --follow", "go on until ^C, also over a restart of laned"],
      ["--after <seq>", "only those after this number", parseCount],
      ["--lane <lane>", "only what is about this lane, also one that is gone"],
      ["--type <type>", "only these, as job.failed, or job for all of jobs; may be repeated", collect],
    ],
    examples: ["lane events --lane fix-login --type job", "lane events -f --json | jq -r .type"],
    run: events,
  });
}

async function events(ctx: Ctx, _args: readonly string[], opts: EventsOptions): Promise<number> {
  const wanted = toWanted(opts.type ?? [], opts.lane === undefined ? null : await laneIdOf(ctx, opts.lane));
  const last = await printStored(ctx, opts.after ?? 0, wanted);
  if (opts.follow) await follow(ctx, last, wanted);
  return 0;
}

function toWanted(types: readonly string[], lane: string | null): Wanted {
  return (entry) =>
    (lane === null || entry.lane === lane) &&
    (types.length === 0 || types.some((type) => entry.type === type || entry.type.startsWith(`${type}.`)));
}

/** The id of a lane; of one that is gone only the id itself is known. */
async function laneIdOf(ctx: Ctx, named: string): Promise<string> {
  try {
    return await resolveLaneId(ctx, named);
  } catch (caught) {
    if (hasCode(caught, "lane.not_found")) return named;
    throw caught;
  }
}

async function printStored(ctx: Ctx, after: number, wanted: Wanted): Promise<number> {
  const api = await ctx.api();
  for (let last = after; ; ) {
    const page = await api.listFeed({ after: last, limit: PAGE });
    for (const entry of page.filter(wanted)) await print(ctx, entry);
    last = page.at(-1)?.seq ?? last;
    if (page.length < PAGE) return last;
  }
}

async function follow(ctx: Ctx, from: number, wanted: Wanted): Promise<void> {
  const feed = followFeed(await ctx.api(), { after: from, signal: ctx.signal, clock: ctx.clock, ...awayHooks(ctx) });
  for await (const message of feed) {
    if (message.kind === "gap") await ctx.note("some entries are no longer kept");
    else if (wanted(message.entry)) await print(ctx, message.entry);
  }
}

async function print(ctx: Ctx, entry: ApiFeedEntry): Promise<void> {
  if (ctx.json) return ctx.printJson(entry, { line: true });
  const about = [entry.lane, entry.job].filter((one) => one !== null).join(" ");
  const data = Object.entries(entry.data).flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`],
  );
  await ctx.print(toPlain([entry.at, entry.type, about, ...data].filter((part) => part !== "").join("  ")));
}
