import type { JobState } from "./job-state.ts";

/** What is to be done: a command, or a prompt to an agent. */
export type JobWork =
  | { readonly kind: "command"; readonly argv: readonly string[] }
  | {
      readonly kind: "prompt";
      readonly prompt: string;
      readonly agent: string | null;
      /** `new`, `continue`, or an agent's session id. */
      readonly session: string;
    };

/** When a new attempt may be made without asking a person. Never silently: each is recorded with its cause. */
export type RetryPolicy = "never" | "on_lost";

/** A job as the caller submits it. */
export interface JobSpec {
  readonly work: JobWork;
  /** Idempotency key, unique per lane. */
  readonly key: string | null;
  /** From the start of an attempt, ms; then a graceful stop, then a kill. */
  readonly deadlineMs: number | null;
  /** Higher first; within one priority first in, first out. */
  readonly priority: number;
  readonly retry: RetryPolicy;
}

/** A job as it is on record. */
export interface Job {
  readonly id: string;
  readonly laneId: string;
  readonly spec: JobSpec;
  /** SHA-256 of the canonical spec without the key: the same key with another body is refused. */
  readonly bodyHash: string;
  readonly state: JobState;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
}
