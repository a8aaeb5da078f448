import { renderDuration } from "../base/index.ts";
import type { ApiInboxItem } from "../protocol/index.ts";
import type { RenderOptions, Style } from "./style.ts";
import { type Column, renderFacts, renderTable } from "./table.ts";
import { renderAge, toPlain, toPlainText, truncate, wrap } from "./text.ts";

/** The first part of an id is its time, in milliseconds: shorter beginnings stand for many items. */
const ID_MIN = 10;
const WRAP_WIDTH = 80;

/** Beginnings of ids, long enough to tell these items from each other. */
function shortIds(ids: readonly string[]): readonly string[] {
  let length = ID_MIN;
  while (length < 26 && new Set(ids.map((id) => id.slice(0, length))).size < new Set(ids).size) length += 1;
  return ids.map((id) => id.slice(0, length));
}

/** `lane inbox`: a line per item. `states`: the list holds others than open ones. */
export function renderInbox(
  items: readonly ApiInboxItem[],
  opts: RenderOptions & { readonly states: boolean },
): readonly string[] {
  const short = shortIds(items.map(({ id }) => id));
  const rows = items.map((item, at) => ({ item, id: short[at] ?? item.id }));
  const state: Column<(typeof rows)[number]> = { header: "state", value: ({ item }) => item.state };
  return renderTable(
    [
      { header: "item", value: ({ id }) => id },
      { header: "kind", value: ({ item }) => item.kind, paint: (cell, { item }) => paintKind(item, opts.style)(cell) },
      ...(opts.states ? [state] : []),
      { header: "lane", value: ({ item }) => item.laneName ?? "-", shrink: true, paint: opts.style.bold },
      // Not `5m ago`, as elsewhere: this column is what the line has least room for.
      { header: "age", value: ({ item }) => renderDuration(Math.max(0, opts.nowMs - Date.parse(item.createdAt))) },
      { header: "what", value: ({ item }) => toSummary(item), shrink: true },
    ],
    rows,
    opts.width,
  );
}

/** One line on what has just happened to an item, for `lane inbox --watch`; on a terminal no longer than it is wide. */
export function renderChange(item: ApiInboxItem, { width }: Pick<RenderOptions, "width">): string {
  const id = width === undefined ? item.id : item.id.slice(0, ID_MIN);
  const line = toPlain([id, item.kind, item.laneName ?? "-", toOutcome(item), toSummary(item)].join("  "));
  return width === undefined ? line : truncate(line, width);
}

/** `lane inbox show`. */
export function renderItem(item: ApiInboxItem, opts: RenderOptions): readonly string[] {
  const { nowMs, style } = opts;
  const facts = renderFacts([
    ["item", item.id],
    ["kind", paintKind(item, style)(item.kind) + (item.urgency === "normal" ? "" : `, urgency ${item.urgency}`)],
    ["state", toPlain(toOutcome(item))],
    ["lane", item.laneName === null ? null : toPlain(item.laneName)],
    ["job", item.job],
    ["snoozed", item.snoozedUntil === null ? null : `comes back ${renderAge(item.snoozedUntil, nowMs)}`],
    ["expires", item.expiresAt === null ? null : renderAge(item.expiresAt, nowMs)],
    ["delivered", renderDelivery(item)],
    ["created", renderAge(item.createdAt, nowMs)],
    ...Object.entries(item.data).map(([name, value]) => [toPlain(name), renderValue(value)] as const),
  ]);
  return [...facts, "", ...renderQuestion(item, opts)];
}

/** What is asked, with its context and numbered choices. */
export function renderQuestion(item: ApiInboxItem, opts: RenderOptions): readonly string[] {
  const choices = item.choices.map((choice, at) => `  ${at + 1}) ${toPlain(choice)}`);
  return [
    ...wrap(toPlain(item.title), opts.width ?? WRAP_WIDTH).map(opts.style.bold),
    // Marked as the agent's words: what it writes must not pass for ours, or for choices.
    ...(item.body === "" ? [] : ["", ...quote(item.body)]),
    ...(choices.length === 0 ? [] : ["", ...choices]),
    ...(item.default === null ? [] : ["", `without an answer in time: ${toPlain(item.default)}`]),
  ];
}

/** How an item stands, and by whom: `answered by page: yes`. */
export function toOutcome({ state, by, answer }: ApiInboxItem): string {
  const who = by === null ? "" : ` by ${by}`;
  return `${state}${who}${answer === null ? "" : `: ${answer}`}`;
}

function quote(text: string): readonly string[] {
  const lines = toPlainText(text).trimEnd().split("\n");
  return lines.map((line) => `> ${line}`.trimEnd());
}

function toSummary(item: ApiInboxItem): string {
  return item.urgency === "high" ? `urgent: ${item.title}` : item.title;
}

function renderDelivery({ delivered }: ApiInboxItem): string | null {
  if (delivered === null) return null;
  return delivered ? "the asker has the answer" : "the asker gets the answer once it can be reached";
}

function renderValue(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return toPlain(typeof value === "object" ? JSON.stringify(value) : String(value));
}

function paintKind({ kind, urgency }: ApiInboxItem, style: Style): (text: string) => string {
  if (urgency === "high" || kind === "failed" || kind === "lost") return style.red;
  return kind === "question" || kind === "approval" || kind === "login" ? style.yellow : (text) => text;
}
