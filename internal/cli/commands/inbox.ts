import type { Command } from "commander";
import { AppError, didYouMean, parseDurationMs } from "../../base/index.ts";
import { INBOX_KINDS, type InboxKind } from "../../job/index.ts";
import type { ApiInboxItem, InboxQuery } from "../../protocol/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { resolveLaneId } from "../lane-ref.ts";
import { renderInbox, renderItem, toOutcome } from "../render-inbox.ts";
import { toPlain } from "../text.ts";
import type { DefineVerb } from "../verb.ts";
import { watchInbox } from "../watch-inbox.ts";
import { defineAnswer } from "./answer.ts";
import { parseCount } from "./lanes.ts";

interface InboxOptions {
  readonly lane?: string;
  readonly kind?: InboxKind;
  readonly all?: boolean;
  readonly snoozed?: boolean;
  readonly done?: boolean;
  readonly limit?: number;
  readonly watch?: boolean;
}

const LIMIT_DEFAULT = 50;
/** Of one page of the host API. */
const PAGE_MAX = 500;
const SNOOZE_DEFAULT = "1h";
const MISSING = "3  no such item";

/** `inbox`, `answer`, `snooze`, `done`. */
export function defineInboxVerbs(program: Command, define: DefineVerb): void {
  define<InboxOptions>(program, {
    usage: "inbox [item...]",
    summary: "what waits for you: list it, or show one item (`lane inbox <item>`, `lane inbox show <item>`)",
    options: [
      ["--lane <lane>", "only what is about this lane"],
      ["--kind <kind>", `only ${INBOX_KINDS.join(", ")}`, parseKind],
      ["--all", "whatever its state, not only what is open"],
      ["--snoozed", "what is out of the way for a while"],
      ["--done", "what is over: answered, done or expired"],
      ["-n, --limit <count>", `at most this many (default ${LIMIT_DEFAULT})`, parseCount],
      ["-w, --watch", "go on until ^C, a line for each change"],
    ],
    examples: [
      "lane inbox",
      "lane inbox --kind question -w",
      "lane inbox 01jz4k8m2q",
      "lane inbox --json | jq -r '.[].id'",
    ],
    exits: ["3  no such item or lane"],
    run: inbox,
  });
  defineAnswer(program, define);
  define(program, {
    usage: "snooze <item> [for]",
    summary: `put an item out of the way for a while (default ${SNOOZE_DEFAULT})`,
    examples: ["lane snooze 01jz4k8m2q", "lane snooze 01jz4k8m2q 2d"],
    exits: [MISSING, "5  it is over already"],
    run: async (ctx, [id = "", span]) => {
      const forMs = parseDurationMs(span ?? SNOOZE_DEFAULT);
      const item = await (await ctx.api()).snoozeItem(id, forMs);
      await told(ctx, item, `item ${item.id} is out of the way until ${item.snoozedUntil}`);
      return 0;
    },
  });
  define<{ readonly undo?: boolean }>(program, {
    usage: "done <item...>",
    summary: "put items away; a question that is put away is not answered",
    options: [["--undo", "open them again"]],
    examples: ["lane done 01jz4k8m2q 01jz4k9c77", "lane done 01jz4k8m2q --undo"],
    exits: [MISSING, "5  it is over already"],
    run: async (ctx, ids, opts) => {
      const api = await ctx.api();
      const items: ApiInboxItem[] = [];
      for (const id of ids) items.push(opts.undo ? await api.reopenItem(id) : await api.finishItem(id));
      if (ctx.json) await ctx.printJson(ids.length === 1 ? items[0] : items);
      else await ctx.print(...items.map((item) => toPlain(`item ${item.id} is ${toOutcome(item)}`)));
      return 0;
    },
  });
}

async function inbox(ctx: Ctx, words: readonly string[], opts: InboxOptions): Promise<number> {
  const id = words[0] === "show" ? words[1] : words[0];
  if (words.length > (words[0] === "show" ? 2 : 1) || (words[0] === "show" && id === undefined)) throw oneItem();
  if (id !== undefined) {
    const api = await ctx.api();
    const item = await api.showItem(id);
    await told(ctx, item, ...renderItem(item, renderOptionsOf(ctx)));
    // A program that looks has not read it for anybody.
    if (!ctx.json && !item.read) await api.readItem(item.id);
    return 0;
  }
  const query = await toQuery(ctx, opts);
  const limit = opts.limit ?? LIMIT_DEFAULT;
  if (opts.watch) await watchInbox(ctx, { ...query, limit: Math.min(PAGE_MAX, limit) });
  else await list(ctx, query, limit);
  return 0;
}

async function list(ctx: Ctx, query: InboxQuery, limit: number): Promise<void> {
  const api = await ctx.api();
  const items: ApiInboxItem[] = [];
  let before: string | undefined;
  do {
    const page = await api.listInbox({ ...query, before, limit: Math.min(PAGE_MAX, limit - items.length) });
    items.push(...page.items);
    before = page.next ?? undefined;
  } while (before !== undefined && items.length < limit);
  if (ctx.json) return ctx.printJson(items);
  if (items.length === 0) return ctx.note(isNarrow(query) ? "nothing of that kind" : "nothing waits for you");
  await ctx.print(...renderInbox(items, { ...renderOptionsOf(ctx), states: query.state !== "open" }));
  if (before !== undefined) await ctx.note(`there is more: --limit ${limit * 2}`);
}

async function toQuery(ctx: Ctx, opts: InboxOptions): Promise<InboxQuery> {
  const states = (["all", "snoozed", "done"] as const).filter((state) => opts[state]);
  if (states.length > 1) {
    throw new AppError({
      code: "usage.invalid",
      message: `--${states.join(" and --")} do not go together`,
      hint: "--all shows every item with its state",
    });
  }
  const lane = opts.lane === undefined ? undefined : await resolveLaneId(ctx, opts.lane);
  return { state: states[0] ?? "open", kind: opts.kind, lane };
}

function isNarrow({ state, kind, lane }: InboxQuery): boolean {
  return state !== "open" || kind !== undefined || lane !== undefined;
}

function parseKind(text: string): InboxKind {
  const kind = INBOX_KINDS.find((one) => one === text);
  if (kind !== undefined) return kind;
  throw new AppError({
    code: "usage.invalid",
    message: `there is no kind ${JSON.stringify(text)} of item`,
    hint: didYouMean(text, INBOX_KINDS) ?? `one of ${INBOX_KINDS.join(", ")}`,
  });
}

function oneItem(): AppError {
  return new AppError({
    code: "usage.invalid",
    message: "one item is shown at a time",
    hint: "lane inbox show <item>",
  });
}

async function told(ctx: Ctx, item: ApiInboxItem, ...lines: readonly string[]): Promise<void> {
  if (ctx.json) await ctx.printJson(item);
  else await ctx.print(...lines);
}
