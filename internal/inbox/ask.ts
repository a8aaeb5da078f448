import { AppError, abortReason, newId } from "../base/index.ts";
import { type InboxItem, isWaiting } from "../job/index.ts";
import type { Ask } from "../protocol/index.ts";
import { needText } from "./clean-text.ts";
import { type InboxContext, type LaneCall, once } from "./context.ts";
import { notFound } from "./find-item.ts";
import { JOB_LIMITS, LANE_OPEN_MAX, refuseMore } from "./limits.ts";

/** An item that nobody has done anything about. */
export function newItem(
  ctx: InboxContext,
  of: Pick<InboxItem, "kind" | "laneId" | "jobId" | "title"> & Partial<InboxItem>,
): InboxItem {
  const nowMs = ctx.clock.nowMs();
  return {
    id: newId(nowMs),
    attempt: null,
    body: "",
    choices: [],
    fallback: null,
    urgency: "normal",
    state: { phase: "open" },
    delivered: false,
    isRead: false,
    createdAtMs: nowMs,
    changedAtMs: nowMs,
    expiresAtMs: null,
    subject: null,
    occurrence: null,
    data: {},
    ...of,
  };
}

/** Puts a question on record. @throws request.key_conflict, request.invalid, inbox.full */
export function ask(ctx: InboxContext, call: LaneCall<Ask>, more: Partial<InboxItem> = {}): InboxItem {
  return ctx.commit(() => {
    const id = once(ctx, "ask", call, () => {
      const { laneId, job, body } = call;
      const { items } = ctx.store;
      refuseMore(items.countQuestions(job.id), JOB_LIMITS.questions, "questions of this job");
      refuseMore(items.countWaitingOfLane(laneId), LANE_OPEN_MAX, "open questions and proposals of this lane");
      const choices = (body.choices ?? []).map((choice) => needText(ctx.line(choice), "a choice"));
      if (new Set(choices).size < choices.length) {
        throw new AppError({ code: "request.invalid", message: "two of the choices are the same" });
      }
      const item = newItem(ctx, {
        kind: "question",
        laneId,
        jobId: job.id,
        attempt: job.attempt,
        title: needText(ctx.line(body.question), "the question"),
        body: ctx.text(body.body ?? ""),
        choices,
        fallback: body.default === undefined ? null : needText(ctx.text(body.default), "the default"),
        urgency: body.urgency ?? "normal",
        expiresAtMs: body.expiresMs === undefined ? null : ctx.clock.nowMs() + body.expiresMs,
        ...more,
      });
      ctx.insert(item);
      ctx.logWord(job.id, job.attempt, { type: "ask", question: item.title, choices, item: item.id });
      return item.id;
    });
    return mustFindOfLane(ctx, id, call.laneId);
  });
}

/** A question of this lane, or of any for null. @throws inbox.not_found for that of another one, too */
function mustFindOfLane(ctx: InboxContext, id: string, laneId: string | null): InboxItem {
  const item = ctx.store.items.find(id);
  if (item?.kind === "question" && (laneId === null || item.laneId === laneId)) return item;
  throw notFound(id);
}

/** What a wait for an answer goes by. */
export interface AnswerWait {
  /** Who asks; only a question's own lane gets its outcome so that nobody else need be told. */
  readonly laneId: string;
  /** May it see the questions of other lanes? */
  readonly seesAll: boolean;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The question once it waits no more, at the latest after `waitMs`. Its own lane has got the answer then.
 * @throws inbox.not_found, and the signal's reason: then nothing was handed out
 */
export async function waitForAnswer(ctx: InboxContext, id: string, opts: AnswerWait): Promise<InboxItem> {
  const scope = opts.seesAll ? null : opts.laneId;
  const asked = mustFindOfLane(ctx, id, scope);
  if (isWaiting(asked.state) && opts.waitMs > 0) await changeOf(ctx, asked.id, opts);
  if (opts.signal?.aborted) throw abortReason(opts.signal);
  return ctx.commit(() => {
    const item = mustFindOfLane(ctx, id, scope);
    if (isWaiting(item.state) || item.delivered || opts.laneId !== item.laneId) return item;
    const handed = { ...item, delivered: true };
    ctx.rewrite(handed);
    return handed;
  });
}

/** Resolves when the item is no longer waiting, or when the time is over. */
function changeOf(ctx: InboxContext, id: string, { waitMs, signal }: AnswerWait): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      unsubscribe();
      cancelTimer();
      signal?.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = () => end(() => reject(abortReason(signal)));
    const unsubscribe = ctx.store.feed.subscribe(({ type, data }) => {
      const settled = data.state !== "open" && data.state !== "snoozed";
      if (type === "inbox.changed" && data.id === id && settled) end(resolve);
    });
    const cancelTimer = ctx.clock.timer(waitMs, () => end(resolve));
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}
