import { canonicalJson } from "../fingerprint/index.ts";
import { type InboxItem, type InboxKind, isWaiting } from "../job/index.ts";
import { INBOX_TEXT_MAX, INBOX_TITLE_MAX } from "../protocol/index.ts";
import { newItem } from "./ask.ts";
import type { InboxContext } from "./context.ts";

/** Something that the system has to say. */
export interface Raise {
  readonly kind: InboxKind;
  /** What it is about: at most one item of a subject waits. */
  readonly subject: string;
  /** Which occurrence it is: what a person has put away or answered comes again only as another one. */
  readonly occurrence: string;
  readonly laneId: string | null;
  readonly jobId: string | null;
  readonly title: string;
  readonly body?: string;
  readonly choices?: readonly string[];
  readonly urgency?: InboxItem["urgency"];
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Says something: as a new item, in the one of its subject that waits, or not at all when a person has seen to it. */
export function raise(ctx: InboxContext, said: Raise): void {
  ctx.commit(() => {
    const { kind, laneId, jobId, subject, occurrence, choices = [], urgency = "normal", data = {} } = said;
    const texts = {
      title: ctx.line(said.title).slice(0, INBOX_TITLE_MAX),
      body: ctx.text(said.body ?? "").slice(0, INBOX_TEXT_MAX),
    };
    const facts = { ...texts, occurrence, choices, urgency, data, jobId };
    const newest = ctx.store.items.findBySubject(subject);
    if (newest && isWaiting(newest.state)) {
      const { title, body, occurrence, choices, urgency, data, jobId } = newest;
      const known = { title, body, occurrence, choices, urgency, data, jobId };
      if (canonicalJson(known) !== canonicalJson(facts)) ctx.rewrite({ ...newest, ...facts, isRead: false });
      return;
    }
    if (newest?.occurrence === occurrence && !isOfSystem(newest)) return;
    ctx.insert(newItem(ctx, { kind, laneId, subject, ...facts }));
  });
}

/** What it was about is over. */
export function resolve(ctx: InboxContext, subject: string): void {
  const newest = ctx.store.items.findBySubject(subject);
  if (newest && isWaiting(newest.state)) ctx.commit(() => putAway(ctx, newest));
}

/** The job has ended: what its agent asked and nobody has answered is put away, and nobody gets it. */
export function closeOfJob(ctx: InboxContext, job: string): void {
  ctx.commit(() => {
    for (const item of ctx.store.items.listQuestions(job)) {
      if (isWaiting(item.state)) putAway(ctx, { ...item, delivered: true });
    }
  });
}

/** The lane is gone for good, with all that waited there. */
export function closeOfLane(ctx: InboxContext, laneId: string): void {
  ctx.commit(() => {
    for (const item of ctx.store.items.listWaitingOfLane(laneId)) putAway(ctx, { ...item, delivered: true });
    for (const task of ctx.store.tasks.list(laneId, -1)) {
      if (task.state === "proposed" || (task.state === "accepted" && task.job === null))
        ctx.saveTask({ ...task, state: "rejected" });
    }
    ctx.store.laneCalls.forgetCalls(laneId);
  });
}

function putAway(ctx: InboxContext, item: InboxItem): void {
  ctx.apply(item, { type: "done", by: "system", atMs: ctx.clock.nowMs() });
}

function isOfSystem({ state }: InboxItem): boolean {
  return state.phase === "done" && state.by === "system";
}
