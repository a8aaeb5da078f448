import { AppError, newId } from "../base/index.ts";
import type { InboxItem, InboxTask } from "../job/index.ts";
import type { CreateTask } from "../protocol/index.ts";
import { newItem } from "./ask.ts";
import { needText } from "./clean-text.ts";
import { type InboxContext, type LaneCall, once } from "./context.ts";
import { JOB_LIMITS, LANE_OPEN_MAX, refuseMore } from "./limits.ts";

/** The choices of a proposal. */
export const ACCEPT = "accept";
export const REJECT = "reject";

/** Tasks that one list shows. */
const TASKS_MAX = 200;

/** Puts a proposal on record; a person, or the installation's policy, accepts it. @throws request.key_conflict, inbox.full */
export function createTask(ctx: InboxContext, call: LaneCall<CreateTask>): InboxTask {
  return ctx.commit(() => {
    const id = once(ctx, "task", call, () => propose(ctx, call).id);
    return mustFindTask(ctx, id, call.laneId);
  });
}

function propose(ctx: InboxContext, { laneId, job, body }: LaneCall<CreateTask>): InboxTask {
  const { items, tasks } = ctx.store;
  refuseMore(tasks.countOfParent(job.id), JOB_LIMITS.tasks, "tasks of this job");
  refuseMore(items.countWaitingOfLane(laneId), LANE_OPEN_MAX, "open questions and proposals of this lane");
  const nowMs = ctx.clock.nowMs();
  const task: InboxTask = {
    id: newId(nowMs),
    laneId,
    parent: job.id,
    job: null,
    title: needText(ctx.line(body.title), "the title"),
    body: ctx.text(body.body ?? ""),
    state: ctx.acceptTasks === "auto" ? "accepted" : "proposed",
    createdAtMs: nowMs,
  };
  tasks.insert(task);
  if (task.state === "accepted") ctx.later(() => ctx.onAccepted(task));
  else {
    const about = { title: task.title, body: task.body, data: { task: task.id } };
    const choices = [ACCEPT, REJECT];
    ctx.insert(newItem(ctx, { kind: "approval", laneId, jobId: null, subject: `task:${task.id}`, choices, ...about }));
  }
  return task;
}

/** The proposal's item was answered or put away. Inside that commit. */
export function decideTask(ctx: InboxContext, item: InboxItem, choice: string): void {
  const task = typeof item.data.task === "string" ? ctx.store.tasks.find(item.data.task) : null;
  if (task?.state !== "proposed") return;
  const next = ctx.saveTask({ ...task, state: choice === ACCEPT ? "accepted" : "rejected" });
  if (next.state === "accepted") ctx.later(() => ctx.onAccepted(next));
}

/** Newest first. For null: of all lanes. */
export function listTasks(ctx: InboxContext, laneId: string | null): readonly InboxTask[] {
  return ctx.store.tasks.list(laneId, TASKS_MAX);
}

/**
 * Its lane calls it done, or takes it back while nobody has decided. `laneId` null: any lane's.
 * @throws inbox.not_found, inbox.answered for one that was rejected
 */
export function finishTask(ctx: InboxContext, id: string, laneId: string | null): InboxTask {
  return ctx.commit(() => {
    const task = mustFindTask(ctx, id, laneId);
    if (task.state === "done") return task;
    if (task.state === "rejected") {
      throw new AppError({ code: "inbox.answered", message: `task ${task.id} was rejected` });
    }
    const item = ctx.store.items.findBySubject(`task:${task.id}`);
    if (item) ctx.apply(item, { type: "done", by: "system", atMs: ctx.clock.nowMs() });
    return ctx.saveTask({ ...task, state: "done" });
  });
}

/** An accepted task has its job from now on. */
export function startTask(ctx: InboxContext, id: string, job: string): void {
  const task = ctx.store.tasks.find(id);
  if (task && task.job === null) ctx.saveTask({ ...task, job });
}

/** The job has done its work: so is the task it was for. */
export function jobSucceeded(ctx: InboxContext, job: string): void {
  const task = ctx.store.tasks.findByJob(job);
  if (task?.state === "accepted") ctx.saveTask({ ...task, state: "done" });
}

function mustFindTask(ctx: InboxContext, id: string, laneId: string | null): InboxTask {
  const task = ctx.store.tasks.find(id);
  if (task && (laneId === null || task.laneId === laneId)) return task;
  throw new AppError({
    code: "inbox.not_found",
    message: `there is no task ${id.slice(0, 64)}`,
    hint: "see inbox task ls",
  });
}
