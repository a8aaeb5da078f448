import { assertNever } from "../base/index.ts";

/**
 * Anything that waits for a person.
 *
 * ```
 *              snooze            answer
 *   open <--------------> snoozed      open | snoozed -----> answered
 *    |      time, reopen                open | snoozed -----> expired   (its time has come: the default, or none)
 *    +---- done ---> done ---- reopen --> open
 * ```
 */
export type InboxKind =
  /** An agent asks. Answered once; the answer goes to the job that asked. */
  | "question"
  /** Something that is only done when a person allows it: a task that an agent proposes, configuration that widens. */
  | "approval"
  | "failed"
  | "lost"
  | "login"
  | "drift"
  | "diverged"
  | "review"
  | "limit";

/** All kinds, for schemas and tests. */
export const INBOX_KINDS = [
  "question",
  "approval",
  "failed",
  "lost",
  "login",
  "drift",
  "diverged",
  "review",
  "limit",
] as const satisfies readonly InboxKind[];

/** Who answered or put away an item. `default`: its time had come. `system`: what it was about is over. */
export type InboxActor = "page" | "cli" | "default" | "policy" | "system";

/** Where an item stands. */
export type InboxState =
  | { readonly phase: "open" }
  | { readonly phase: "snoozed"; readonly untilMs: number }
  | { readonly phase: "answered"; readonly answer: string; readonly by: InboxActor; readonly atMs: number }
  | { readonly phase: "done"; readonly by: InboxActor; readonly atMs: number }
  /** Nobody answered in time and there was no default. */
  | { readonly phase: "expired"; readonly atMs: number };

/** An item as it is on record. Times are wall time, ms since the epoch; texts are cleaned and without secrets. */
export interface InboxItem {
  readonly id: string;
  readonly kind: InboxKind;
  readonly laneId: string | null;
  readonly jobId: string | null;
  /** Of a question: the attempt that asked. */
  readonly attempt: number | null;
  readonly title: string;
  readonly body: string;
  readonly choices: readonly string[];
  /** The answer when nobody gave one in time. */
  readonly fallback: string | null;
  readonly urgency: "low" | "normal" | "high";
  readonly state: InboxState;
  /** Of a question that waits no more: its asker has got what came of it, or is not there any more. */
  readonly delivered: boolean;
  /** A person has opened it since it came, came back or said something else. */
  readonly isRead: boolean;
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  readonly expiresAtMs: number | null;
  /** What the item is about, for those of the system: at most one of a subject waits at a time. */
  readonly subject: string | null;
  /** Which occurrence of its subject: what a person has put away comes again only as another one. */
  readonly occurrence: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What can happen to an item. */
export type InboxEvent =
  | { readonly type: "answer"; readonly answer: string; readonly by: InboxActor; readonly atMs: number }
  | { readonly type: "snooze"; readonly untilMs: number }
  /** The snooze is over. */
  | { readonly type: "wake" }
  | { readonly type: "done"; readonly by: InboxActor; readonly atMs: number }
  | { readonly type: "reopen" }
  /** Nobody answered in time, and there is no default. */
  | { readonly type: "expire"; readonly atMs: number };

/** Does it wait for a person, now or later? */
export function isWaiting(state: InboxState): boolean {
  return state.phase === "open" || state.phase === "snoozed";
}

/**
 * The one transition function of an item; null for a pair that is not possible, which a person's call may well ask for.
 * The same state back: nothing changes.
 */
export function transitionItem(state: InboxState, event: InboxEvent): InboxState | null {
  switch (event.type) {
    case "answer":
      return isWaiting(state) ? { phase: "answered", answer: event.answer, by: event.by, atMs: event.atMs } : null;
    case "snooze":
      return isWaiting(state) ? { phase: "snoozed", untilMs: event.untilMs } : null;
    case "wake":
      return state.phase === "snoozed" ? { phase: "open" } : state;
    case "done":
      if (isWaiting(state)) return { phase: "done", by: event.by, atMs: event.atMs };
      return state.phase === "done" ? state : null;
    case "reopen":
      if (state.phase === "open") return state;
      return state.phase === "snoozed" || state.phase === "done" ? { phase: "open" } : null;
    case "expire":
      return isWaiting(state) ? { phase: "expired", atMs: event.atMs } : null;
    default:
      return assertNever(event);
  }
}

/** A piece of work that somebody proposes. Only an accepted one is done, by a job of its own. */
export interface InboxTask {
  readonly id: string;
  /** The lane it came from, and in which it is done. */
  readonly laneId: string;
  /** The job that proposed it, and the one that does it. */
  readonly parent: string;
  readonly job: string | null;
  readonly title: string;
  readonly body: string;
  readonly state: TaskState;
  readonly createdAtMs: number;
}

/** Where a task stands: proposed -> accepted -> done, or proposed -> rejected. Done is also what its lane takes back. */
type TaskState = "proposed" | "accepted" | "rejected" | "done";

/** What an agent reported of its job. */
export interface InboxReport {
  readonly laneId: string;
  readonly job: string;
  readonly level: "info" | "warn" | "done" | "blocked";
  readonly body: string;
  /** Paths below the work tree, as the agent gave them: never opened. */
  readonly files: readonly string[];
  readonly atMs: number;
}
