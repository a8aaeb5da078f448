import { createHash } from "node:crypto";
import { AppError } from "../base/index.ts";
import { canonicalJson } from "../fingerprint/index.ts";
import { type InboxEvent, type InboxItem, type InboxTask, transitionItem } from "../job/index.ts";
import { cleanLine, cleanText } from "./clean-text.ts";
import type { InboxDeps } from "./ports.ts";

/** What the parts of the inbox share. */
export interface InboxContext extends InboxDeps {
  /** Runs `fn` as one commit. Nested calls join, and it joins one of the store that is under way. */
  commit<T>(fn: () => T): T;
  /** After the commit under way; never when it is undone. */
  later(fn: () => void): void;
  /** Records a new item. */
  insert(item: InboxItem): void;
  /** Applies an event; null when it is not possible, the same item when nothing changes. */
  apply(item: InboxItem, event: InboxEvent): InboxItem | null;
  /** Writes an item of which something else than its state has changed. */
  rewrite(item: InboxItem): void;
  /** The task as it then is. */
  saveTask(task: InboxTask): InboxTask;
  /** Without secrets, without what is no text. */
  line(text: string): string;
  text(text: string): string;
}

/** A call that came from a lane. */
export interface LaneCall<B> {
  readonly laneId: string;
  /** The job that runs there, and its attempt. */
  readonly job: { readonly id: string; readonly attempt: number };
  /** Idempotency key, unique per lane. */
  readonly key: string | null;
  readonly body: B;
}

/** See {@link InboxContext}. */
export function createContext(deps: InboxDeps): InboxContext {
  const { store, clock, log, redact } = deps;
  const tell = (type: string, { id, kind, state, laneId, jobId }: InboxItem) => {
    const data = { id, kind, state: state.phase };
    store.feed.append({ atMs: clock.nowMs(), type, lane: laneId, job: jobId, data });
  };
  return {
    ...deps,
    commit: (fn) => store.transaction(fn),
    later: (fn) => store.afterCommit(fn),
    insert: (item) => {
      store.items.insert(item);
      tell("inbox.opened", item);
      log.info({ lane: item.laneId, jobId: item.jobId, item: item.id, kind: item.kind }, "inbox item opened");
    },
    apply: (item, event) => {
      const state = transitionItem(item.state, event);
      if (state === null || state === item.state) return state && item;
      const next: InboxItem = { ...item, state, changedAtMs: clock.nowMs() };
      store.items.save(next);
      tell(event.type === "wake" ? "inbox.woken" : "inbox.changed", next);
      const change = { event: event.type, from: item.state.phase, to: state.phase };
      log.info({ lane: item.laneId, jobId: item.jobId, item: item.id, ...change }, "inbox item changed");
      return next;
    },
    rewrite: (item) => {
      store.items.save(item);
      tell("inbox.changed", item);
    },
    saveTask: (task) => {
      store.tasks.save(task);
      return task;
    },
    line: (text) => cleanLine(redact(text)),
    text: (text) => cleanText(redact(text)),
  };
}

/**
 * Makes something once per key of a lane: a repeated call gets what the first one has made. Inside a commit.
 * @throws request.key_conflict when the key came with something else before
 */
export function once<B>(ctx: InboxContext, op: string, call: LaneCall<B>, make: () => string): string {
  const { laneId, key } = call;
  if (key === null) return make();
  const hash = createHash("sha256")
    .update(canonicalJson([op, call.body]))
    .digest("hex");
  const known = ctx.store.laneCalls.findCall(laneId, key);
  if (known && known.hash !== hash) {
    throw new AppError({
      code: "request.key_conflict",
      message: `the idempotency key ${JSON.stringify(key.slice(0, 128))} came with another call before`,
      hint: "use another key for another call",
    });
  }
  if (known) return known.made;
  const made = make();
  ctx.store.laneCalls.putCall(laneId, key, { hash, made });
  return made;
}
