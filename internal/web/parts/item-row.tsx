import type { VNode } from "preact";
import type { App } from "../app.ts";
import type { InboxRow } from "../data/inbox-list.ts";
import { formatAge } from "../format.ts";
import { Icon } from "./icon.tsx";
import { isNews } from "./read-mark.ts";

/** Kinds in words. */
const KIND_WORDS: Readonly<Record<string, string>> = {
  question: "Question",
  approval: "Approval",
  failed: "Failed",
  lost: "Lost",
  login: "Login",
  drift: "Drift",
  diverged: "Diverged",
  review: "Review",
  limit: "Limit",
};

/** The kinds there are, for the filter. */
export const KINDS: readonly string[] = Object.keys(KIND_WORDS);

/** A kind as people read it. */
export function kindWord(kind: string): string {
  return Object.hasOwn(KIND_WORDS, kind) ? (KIND_WORDS[kind] ?? kind) : kind;
}

/** Kind as an icon with its word. */
export function Kind({ kind }: { readonly kind: string }): VNode {
  return (
    <span class={`kind kind-${kind}`}>
      <Icon name={kind} />
      {kindWord(kind)}
    </span>
  );
}

/** One item in the list. */
export function ItemRow({ app, row }: { readonly app: App; readonly row: InboxRow }): VNode {
  return (
    <div class={`item-row ${isNews(row) ? "" : "is-read"}`}>
      <div class="item-row-head">
        <Kind kind={row.kind} />
        {row.urgency === "high" ? <span class="urgent">Urgent</span> : null}
        {isNews(row) ? <span class="badge attention">New</span> : null}
        <span class="item-row-lane">{row.laneName ?? ""}</span>
        <time class="age" dateTime={row.createdAt} title={new Date(row.createdAt).toLocaleString()}>
          {formatAge(row.createdAt, app.nowMs.value)}
        </time>
      </div>
      <div class="item-row-title">{row.title}</div>
    </div>
  );
}
