import { type InboxActor, type InboxItem, type InboxTask, isWaiting } from "../job/index.ts";
import type { Ask, CreateTask, Report } from "../protocol/index.ts";
import { type AnswerWait, ask, waitForAnswer } from "./ask.ts";
import { createContext, type LaneCall } from "./context.ts";
import { createExpiry } from "./expiry.ts";
import { findItem } from "./find-item.ts";
import { answer, done, markRead, reopen, snooze } from "./people.ts";
import type { InboxDeps, ListQuery } from "./ports.ts";
import { report } from "./report.ts";
import { dropClosed } from "./retention.ts";
import { closeOfJob, closeOfLane, type Raise, raise, resolve } from "./system.ts";
import { createTask, finishTask, jobSucceeded, listTasks, startTask } from "./tasks.ts";

/**
 * Everything that waits for a person. Calls are synchronous, and what they did is on the disk when they return; those
 * that are made inside a transaction of the store join it.
 */
export interface Inbox extends Disposable {
  /** Items whose time has come meanwhile are ended from now on: call it once jobs can be resumed. */
  start(): void;

  // for people
  list(query: ListQuery): readonly InboxItem[];
  countOpen(): number;
  /** By id or unique prefix. @throws inbox.not_found, usage.invalid */
  get(idOrPrefix: string): InboxItem;
  /** @throws inbox.not_found, inbox.answered, inbox.expired, request.invalid */
  answer(idOrPrefix: string, text: string, by: InboxActor): InboxItem;
  snooze(idOrPrefix: string, forMs: number): InboxItem;
  done(idOrPrefix: string, by: InboxActor): InboxItem;
  reopen(idOrPrefix: string): InboxItem;
  markRead(idOrPrefix: string, isRead: boolean): InboxItem;

  // from inside a lane
  /** @throws request.key_conflict, request.invalid, inbox.full */
  ask(call: LaneCall<Ask>): InboxItem;
  /** The question once it is settled, at the latest after `waitMs`; its lane has got the outcome then. @throws inbox.not_found */
  waitForAnswer(id: string, opts: AnswerWait): Promise<InboxItem>;
  /** Returns the id of the item it has made, null for none. @throws request.key_conflict, request.invalid, inbox.full */
  report(call: LaneCall<Report>): string | null;
  /** @throws request.key_conflict, request.invalid, inbox.full */
  createTask(call: LaneCall<CreateTask>): InboxTask;
  /** Of a lane, of all for null; newest first. */
  tasks(laneId: string | null): readonly InboxTask[];
  /** @throws inbox.not_found, inbox.answered */
  finishTask(id: string, laneId: string | null): InboxTask;

  // for jobs
  /** What a job's agent has asked and has not heard the outcome of, oldest first. `settled`: there is one. */
  listPending(job: string): readonly { readonly id: string; readonly settled: boolean }[];
  /** Their askers have got the outcome. May be repeated. */
  markDelivered(ids: readonly string[]): void;
  /** The job has ended: what of it is open is put away. */
  close(job: string): void;
  jobSucceeded(job: string): void;
  laneRemoved(laneId: string): void;
  /** Accepted tasks without a job. */
  dueTasks(): readonly InboxTask[];
  startTask(id: string, job: string): void;

  // for what the system has to say
  raise(said: Raise): void;
  /** What the subject was about is over. */
  resolve(subject: string): void;
  /** Items of the system that wait, by the beginning of their subject. */
  listWaiting(subjectPrefix: string): readonly InboxItem[];

  /**
   * Drops items that were closed before `beforeMs` and that nothing goes by any more, in steps of a few milliseconds.
   * Resolves with how many, early when the signal aborts. @throws store.*
   */
  dropClosed(beforeMs: number, opts: { readonly signal: AbortSignal }): Promise<number>;
}

/** Makes the inbox over its records. */
export function createInbox(deps: InboxDeps): Inbox {
  const ctx = createContext(deps);
  const expiry = createExpiry(ctx);
  const { items, tasks } = deps.store;
  /** After what may change when the next item is due. */
  const timed = <T>(value: T): T => {
    expiry.look();
    return value;
  };
  return {
    start: expiry.look,
    list: (query) => items.list(query),
    countOpen: () => items.countOpen(),
    get: (id) => findItem(ctx, id),
    answer: (id, text, by) => answer(ctx, id, text, by),
    snooze: (id, forMs) => timed(snooze(ctx, id, deps.clock.nowMs() + forMs)),
    done: (id, by) => done(ctx, id, by),
    reopen: (id) => timed(reopen(ctx, id)),
    markRead: (id, isRead) => markRead(ctx, id, isRead),
    ask: (call) => timed(ask(ctx, call)),
    waitForAnswer: (id, opts) => waitForAnswer(ctx, id, opts),
    report: (call) => report(ctx, call),
    createTask: (call) => createTask(ctx, call),
    tasks: (laneId) => listTasks(ctx, laneId),
    finishTask: (id, laneId) => finishTask(ctx, id, laneId),
    listPending: (job) =>
      items
        .listQuestions(job)
        .filter((item) => !item.delivered)
        .map(({ id, state }) => ({ id, settled: !isWaiting(state) })),
    markDelivered: (ids) =>
      ctx.commit(() => {
        for (const id of ids) {
          const item = items.find(id);
          if (item && !item.delivered) ctx.rewrite({ ...item, delivered: true });
        }
      }),
    close: (job) => closeOfJob(ctx, job),
    jobSucceeded: (job) => jobSucceeded(ctx, job),
    laneRemoved: (laneId) => closeOfLane(ctx, laneId),
    dueTasks: () => tasks.listDue(),
    startTask: (id, job) => startTask(ctx, id, job),
    raise: (said) => raise(ctx, said),
    resolve: (subject) => resolve(ctx, subject),
    listWaiting: (prefix) => items.listWaitingSubjects(prefix),
    dropClosed: (beforeMs, opts) => dropClosed(ctx, beforeMs, opts),
    [Symbol.dispose]: expiry[Symbol.dispose],
  };
}
