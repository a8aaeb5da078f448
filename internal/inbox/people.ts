import { AppError } from "../base/index.ts";
import { type InboxActor, type InboxItem, isWaiting } from "../job/index.ts";
import { needText } from "./clean-text.ts";
import type { InboxContext } from "./context.ts";
import { findItem } from "./find-item.ts";
import { decideTask, REJECT } from "./tasks.ts";

/**
 * Answers an item, once: the same answer again gives the item as it is.
 * @throws inbox.not_found, inbox.answered naming who answered and when, inbox.expired, request.invalid
 */
export function answer(ctx: InboxContext, id: string, text: string, by: InboxActor): InboxItem {
  return ctx.commit(() => {
    const item = findItem(ctx, id);
    const said = needText(ctx.text(text), "the answer");
    if (item.state.phase === "answered" && item.state.answer === said) return item;
    if (!isWaiting(item.state)) throw overError(item);
    const choice = item.kind === "question" ? said : mustChoose(item, said);
    const next = ctx.apply(item, { type: "answer", answer: said, by, atMs: ctx.clock.nowMs() });
    if (next === null) throw overError(item);
    settle(ctx, next, choice);
    return next;
  });
}

/** What follows from an item's end, in the same commit. */
export function settle(ctx: InboxContext, item: InboxItem, choice: string): void {
  if (item.kind === "question" && item.jobId !== null) ctx.resume(item.jobId);
  if (item.kind === "question") return;
  if (item.kind === "approval") decideTask(ctx, item, choice);
  ctx.later(() => ctx.onAnswered(item, choice));
}

/** Out of the way until then. @throws inbox.* */
export function snooze(ctx: InboxContext, id: string, untilMs: number): InboxItem {
  return ctx.commit(() => {
    const item = findItem(ctx, id);
    const next = ctx.apply(item, { type: "snooze", untilMs });
    if (next === null) throw overError(item);
    return next;
  });
}

/** Puts an item away without an answer; the asker of a question is told so. Repeated: no effect. @throws inbox.* */
export function done(ctx: InboxContext, id: string, by: InboxActor): InboxItem {
  return ctx.commit(() => {
    const item = findItem(ctx, id);
    const next = ctx.apply(item, { type: "done", by, atMs: ctx.clock.nowMs() });
    if (next === null) throw overError(item);
    if (next === item) return item;
    if (item.kind === "question" && item.jobId !== null) ctx.resume(item.jobId);
    if (item.kind === "approval") decideTask(ctx, item, REJECT);
    return next;
  });
}

/**
 * Brings back what was snoozed or put away. A question whose asker has gone on stays away, and so does a proposal.
 * @throws inbox.*
 */
export function reopen(ctx: InboxContext, id: string): InboxItem {
  return ctx.commit(() => {
    const item = findItem(ctx, id);
    const isPutAway = item.state.phase === "done";
    if (isPutAway && (item.kind === "question" || item.kind === "approval")) throw overError(item);
    const newest = item.subject === null ? null : ctx.store.items.findBySubject(item.subject);
    if (isPutAway && newest !== null && newest.id !== item.id) throw overError(item);
    const next = ctx.apply(item, { type: "reopen" });
    if (next === null) throw overError(item);
    return next;
  });
}

/** Has a person seen it? Its state stays as it is. Repeated: no effect. @throws inbox.* */
export function markRead(ctx: InboxContext, id: string, isRead: boolean): InboxItem {
  return ctx.commit(() => {
    const item = findItem(ctx, id);
    if (item.isRead === isRead) return item;
    const next = { ...item, isRead };
    ctx.rewrite(next);
    return next;
  });
}

/** The choice of an answer: exactly one of them, or one with a reason behind a colon. */
function mustChoose({ choices, kind }: InboxItem, said: string): string {
  const choice = choices.find((one) => said === one || said.startsWith(`${one}:`));
  if (choice !== undefined) return choice;
  throw new AppError({
    code: "request.invalid",
    message: choices.length === 0 ? `an item of kind ${kind} takes no answer` : `the answer is none of the choices`,
    hint: choices.length === 0 ? "put it away with: lane done <item>" : `answer ${choices.join(" or ")}`,
  });
}

function overError({ id, state }: InboxItem): AppError {
  switch (state.phase) {
    case "answered": {
      const { by, atMs } = state;
      const at = new Date(atMs).toISOString();
      return new AppError({
        code: "inbox.answered",
        message: `item ${id} was answered by ${by} at ${at}`,
        hint: "the first answer counts; see it with: lane inbox --all",
        details: { by, at, answer: state.answer },
      });
    }
    case "expired":
      return new AppError({ code: "inbox.expired", message: `nobody answered item ${id} in time` });
    default:
      return new AppError({
        code: "inbox.expired",
        message: `item ${id} is ${state.phase}: nobody waits for it any more`,
        hint: "say it in a new prompt",
      });
  }
}
