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
