import type { ApiInboxItem } from "../../protocol/index.ts";
import { type Api, ApiError, describeError } from "../api.ts";
import type { InboxRow } from "./inbox-list.ts";
import type { Store } from "./store.ts";

/** What a person does with an item. Each shows at once, and what went wrong is said. */
export interface InboxActions extends Disposable {
  /**
   * Answers after {@link UNDO_MS}: an answer wakes its asker and cannot be taken back. Until then `undo` calls it off.
   * What still waits is sent when the page goes.
   */
  answer(item: InboxRow, answer: string): void;
  /** As an answer where it cannot be taken back ({@link canReopen}), else at once. */
  done(item: InboxRow): void;
  snooze(item: InboxRow, forMs: number): void;
  reopen(item: InboxRow): void;
  /** Seen by a person, or as new. Whether it waits is another matter. */
  markRead(item: InboxRow, isRead: boolean): void;
  /** Takes the last act back, if there is one that can be. */
  undo(): boolean;
}

/** How long an act can be taken back, ms. */
const UNDO_MS = 5000;

/** Can an item of this kind be brought back once it was put away? Who asked goes on without an answer. */
export function canReopen(kind: string): boolean {
  return kind !== "question" && kind !== "approval";
}

/** An act: the last part of its route, its body, and what is said of it. */
interface Act {
  readonly path: string;
  readonly body?: unknown;
  readonly said: string;
}

/** Acts on the items of a store. `say` shows a message, with a way back when there is one. */
export function createInboxActions(deps: {
  readonly api: Api;
  readonly store: Store;
  readonly say: (message: string, undo?: () => void) => void;
}): InboxActions {
  const { api, store, say } = deps;
  /** What is not sent yet, by item. */
  const pending = new Map<string, { readonly send: () => void; readonly timer: ReturnType<typeof setTimeout> }>();
  let undo: (() => void) | null = null;

  /** Acts on one item reach the server in the order in which they were done. */
  const underWay = new Map<string, Promise<boolean>>();
  const post = (item: InboxRow, act: string, body?: unknown): Promise<boolean> => {
    const before = underWay.get(item.id);
    // Only what has succeeded is taken back. With nothing under way it leaves at once: the page may be going.
    const posted =
      before === undefined
        ? postNow(item, act, body)
        : before.then((ok) => (ok || act !== "reopen" ? postNow(item, act, body) : false));
    underWay.set(item.id, posted);
    return posted.finally(() => {
      if (underWay.get(item.id) === posted) underWay.delete(item.id);
    });
  };

  const postNow = async (item: InboxRow, act: string, body: unknown): Promise<boolean> => {
    try {
      const path = `/v1/inbox/${encodeURIComponent(item.id)}/${act}`;
      const after = await api.call<ApiInboxItem>("POST", path, body ?? {}, {
        keepalive: true,
        key: crypto.randomUUID(),
      });
      store.changeInbox({ type: "item", item: after });
      return true;
    } catch (error) {
      await sayFailure(item, error);
      return false;
    } finally {
      store.changeInbox({ type: "unhide", id: item.id });
      store.refreshInbox();
    }
  };

  /** Somebody else was faster, or it is too late: says who and what. */
  const sayFailure = async (item: InboxRow, error: unknown) => {
    if (!(error instanceof ApiError) || error.status !== 409) return say(`Not done: ${describeError(error)}`);
    const now = await store.fetchItem(item.id).catch(() => null);
    say(now === null ? describeError(error) : staleMessage(now));
  };

  const act = (item: InboxRow, acts: Act) => {
    store.changeInbox({ type: "hide", id: item.id });
    let isDone: boolean | null = null;
    void post(item, acts.path, acts.body).then((ok) => {
      isDone = ok;
    });
    offerUndo(acts.said, () => {
      if (isDone !== false) void post(item, "reopen");
    });
  };

  const offerUndo = (message: string, back: () => void) => {
    undo = () => {
      undo = null;
      back();
    };
    const mine = undo;
    setTimeout(() => {
      if (undo === mine) undo = null;
    }, UNDO_MS);
    say(message, () => {
      if (undo === mine) mine();
    });
  };

  /** An act that cannot be taken back is sent when its time for that is over, or when the page goes. */
  const defer = (item: InboxRow, acts: Act) => {
    if (pending.has(item.id)) return;
    store.changeInbox({ type: "hide", id: item.id });
    const end = () => {
      clearTimeout(pending.get(item.id)?.timer);
      pending.delete(item.id);
    };
    const send = () => {
      end();
      void post(item, acts.path, acts.body);
    };
    pending.set(item.id, { send, timer: setTimeout(send, UNDO_MS) });
    offerUndo(acts.said, () => {
      if (!pending.has(item.id)) return;
      end();
      store.changeInbox({ type: "unhide", id: item.id });
    });
  };
  /** Not one of the acts: an item that was just put away stays out of sight. */
  const markRead = async (item: InboxRow, read: boolean) => {
    try {
      const path = `/v1/inbox/${encodeURIComponent(item.id)}/read`;
      store.changeInbox({ type: "item", item: await api.call<ApiInboxItem>("POST", path, { read }) });
    } catch (error) {
      // The page itself says when the daemon is away.
      if (!(error instanceof ApiError) || error.status !== 0) say(`Not marked: ${describeError(error)}`);
    }
  };
  const flush = () => {
    for (const { send } of [...pending.values()]) send();
  };
  addEventListener("pagehide", flush);

  return {
    answer: (item, answer) => defer(item, { path: "answer", body: { answer }, said: `Answering “${shorten(answer)}”` }),
    done: (item) => (canReopen(item.kind) ? act : defer)(item, { path: "done", said: "Done" }),
    snooze: (item, forMs) => act(item, { path: "snooze", body: { forMs }, said: "Snoozed" }),
    reopen: (item) => void post(item, "reopen").then((ok) => ok && say("Open again")),
    markRead: (item, isRead) => void markRead(item, isRead),
    undo() {
      if (undo === null) return false;
      undo();
      say("Taken back");
      return true;
    },
    [Symbol.dispose]() {
      removeEventListener("pagehide", flush);
      flush();
    },
  };
}

/** What to tell a person whose act came too late. */
function staleMessage(item: Pick<ApiInboxItem, "state" | "by" | "answer">): string {
  const by = item.by === null ? "" : ` ${byWords(item.by)}`;
  if (item.state === "answered") return `Answered already${by}: “${shorten(item.answer ?? "")}”`;
  if (item.state === "expired") return "Too late: its time is over, and there was no default";
  return `It is ${item.state} already${by === "" ? "" : `,${by}`}`;
}

/** Who did it, for people. */
export function byWords(by: string): string {
  const words: Readonly<Record<string, string>> = {
    page: "in the page",
    cli: "on the command line",
    default: "by its default, when its time was over",
    policy: "by a policy",
    system: "by Lanekeeper: what it was about is over",
  };
  return Object.hasOwn(words, by) ? (words[by] ?? by) : by;
}

function shorten(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
