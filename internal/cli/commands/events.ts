import type { Command } from "commander";
import type { ApiFeedEntry } from "../../protocol/index.ts";
import { awayHooks } from "../attach.ts";
import type { Ctx } from "../context.ts";
import { followFeed } from "../follow-feed.ts";
import { toPlain } from "../text.ts";
import type { DefineVerb } from "../verb.ts";
import { parseCount } from "./lanes.ts";

interface EventsOptions {
  readonly follow?: boolean;
  readonly after?: number;
}

const PAGE = 500;

/** `events`. */
export function defineEvents(program: Command, define: DefineVerb): void {
  define<EventsOptions>(program, {
    usage: "events",
    summary: "what happens to lanes, jobs and workspaces",
    options: [
      ["-f, --follow", "go on until ^C, also over a restart of laned"],
      ["--after <seq>", "only those after this number", parseCount],
    ],
    examples: ["lane events", "lane events -f --json | jq -r .type"],
    run: events,
  });
}

async function events(ctx: Ctx, _args: readonly string[], opts: EventsOptions): Promise<number> {
  const last = await printStored(ctx, opts.after ?? 0);
  if (opts.follow) await follow(ctx, last);
  return 0;
}

async function printStored(ctx: Ctx, after: number): Promise<number> {
  const api = await ctx.api();
  for (let last = after; ; ) {
    const page = await api.listFeed({ after: last, limit: PAGE });
    for (const entry of page) await print(ctx, entry);
    last = page.at(-1)?.seq ?? last;
    if (page.length < PAGE) return last;
  }
}

async function follow(ctx: Ctx, from: number): Promise<void> {
  const feed = followFeed(await ctx.api(), { after: from, signal: ctx.signal, clock: ctx.clock, ...awayHooks(ctx) });
  for await (const message of feed) {
    if (message.kind === "gap") await ctx.note("some entries are no longer kept");
    else await print(ctx, message.entry);
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
