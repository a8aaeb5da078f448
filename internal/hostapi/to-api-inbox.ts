import { type InboxItem, type InboxTask, isWaiting } from "../job/index.ts";
import type { ApiInboxItem, ApiQuestion, ApiTask } from "../protocol/index.ts";
import type { HostApiPorts } from "./ports.ts";

const iso = (ms: number): string => new Date(ms).toISOString();

/** An item as people see it. */
export function toApiItem({ lanes }: Pick<HostApiPorts, "lanes">, item: InboxItem): ApiInboxItem {
  const { state } = item;
  return {
    id: item.id,
    kind: item.kind,
    lane: item.laneId,
    laneName: item.laneId === null ? null : (lanes.findLane(item.laneId)?.name ?? null),
    job: item.jobId,
    title: item.title,
    body: item.body,
    choices: [...item.choices],
    default: item.fallback,
    urgency: item.urgency,
    state: state.phase,
    answer: state.phase === "answered" ? state.answer : null,
    by: "by" in state ? state.by : null,
    delivered: item.kind === "question" && !isWaiting(state) ? item.delivered : null,
    read: item.isRead,
    snoozedUntil: state.phase === "snoozed" ? iso(state.untilMs) : null,
    createdAt: iso(item.createdAtMs),
    changedAt: iso(item.changedAtMs),
    expiresAt: item.expiresAtMs === null ? null : iso(item.expiresAtMs),
    data: { ...item.data },
  };
}

/** A question as its lane sees it: who snoozes it is none of its business. */
export function toApiQuestion({ id, title, state }: InboxItem): ApiQuestion {
  return {
    id,
    question: title,
    state: state.phase === "snoozed" ? "open" : state.phase,
    answer: state.phase === "answered" ? state.answer : null,
    by: "by" in state ? state.by : null,
  };
}

/** A task; its lane by name. */
export function toApiTask({ lanes }: Pick<HostApiPorts, "lanes">, task: InboxTask): ApiTask {
  const { id, parent, job, title, body, state } = task;
  const lane = lanes.findLane(task.laneId)?.name ?? task.laneId;
  return { id, lane, parent, job, title, body, state, createdAt: iso(task.createdAtMs) };
}
