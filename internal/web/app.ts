import type { ReadonlySignal } from "@preact/signals";
import type { Api } from "./api.ts";
import type { Draft } from "./data/draft.ts";
import type { InboxActions } from "./data/inbox-actions.ts";
import type { Store } from "./data/store.ts";
import type { KeyActions } from "./key-actions.ts";
import type { Chime } from "./news/chime.ts";
import type { Router } from "./router.ts";

/** What runs for one page, handed to every screen. */
export interface App {
  readonly api: Api;
  readonly router: Router;
  /** Lanes, inbox and the state of the connection, kept fresh by the feed. */
  readonly store: Store;
  readonly inbox: InboxActions;
  /** The keyboard: a screen binds its deeds while it is shown. */
  readonly keys: KeyActions;
  /** What is being written and not sent: work by lane, answers by item. Gone with the page. */
  readonly drafts: Map<string, Draft>;
  readonly answers: Map<string, string>;
  /** Sounds when something new comes, for who wished for it. */
  readonly chime: Chime;
  /** A short message at the bottom, read out by screen readers; gone after five seconds or when another comes. */
  say(message: string, undo?: () => void): void;
  /** Wall time, ms, renewed every few seconds: read it where an age is shown. */
  readonly nowMs: ReadonlySignal<number>;
}
