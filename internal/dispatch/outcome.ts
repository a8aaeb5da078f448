import { assertNever } from "../base/index.ts";
import type { JobError, JobEvent, JobResult, WorkerEvent, WorkerOutcome } from "../job/index.ts";
import type { Judgement } from "./ports.ts";

/** The result of an attempt that never had a process. */
export const NO_RESULT: JobResult = { exitCode: null, signal: null, stderrTail: "", truncated: false };

/** What one of the worker's events means for the job's state; null for nothing. */
export function toJobEvent(event: WorkerEvent, judge: Judge): JobEvents | null {
  if (event.type === "started") return { event: { type: "started" }, again: null };
  return event.type === "finished" ? fromOutcome(event.outcome, judge) : null;
}

/** Judges an attempt that ended by itself; null: by its exit code. */
export type Judge = (result: JobResult) => Judgement | null;

/** The change, and why the job is queued again after it; null when it is not. */
interface JobEvents {
  readonly event: JobEvent;
  readonly again: string | null;
}

function fromOutcome(outcome: WorkerOutcome, judge: Judge): JobEvents {
  const { result } = outcome;
  switch (outcome.kind) {
    case "cancelled":
      return { event: { type: "cancelled", result, forced: false }, again: null };
    case "failed":
      return { event: { type: "failed", result, error: outcome.error }, again: null };
    case "exited": {
      const { error, again } = judge(result) ?? { error: errorOfExit(result), again: null };
      return { event: error ? { type: "failed", result, error } : { type: "succeeded", result }, again };
    }
    default:
      return assertNever(outcome);
  }
}

function errorOfExit({ signal, exitCode }: JobResult): JobError | null {
  if (signal !== null) return { code: "signal", message: `ended by ${signal}` };
  return exitCode === 0 ? null : { code: "exit", message: `exit code ${exitCode ?? "unknown"}` };
}
