import { assertNever } from "../base/index.ts";
import type { JobEvent, JobResult, WorkerEvent, WorkerOutcome } from "../job/index.ts";

/** The result of an attempt that never had a process. */
export const NO_RESULT: JobResult = { exitCode: null, signal: null, stderrTail: "", truncated: false };

/** What one of the worker's events means for the job's state; null for nothing. */
export function toJobEvent(event: WorkerEvent): JobEvent | null {
  switch (event.type) {
    case "started":
      return { type: "started" };
    case "finished":
      return fromOutcome(event.outcome);
    case "output":
    case "gap":
    case "cancelling":
      return null;
    default:
      return assertNever(event);
  }
}

function fromOutcome(outcome: WorkerOutcome): JobEvent {
  const { result } = outcome;
  switch (outcome.kind) {
    case "cancelled":
      return { type: "cancelled", result, forced: false };
    case "failed":
      return { type: "failed", result, error: outcome.error };
    case "exited":
      if (result.signal !== null) {
        return { type: "failed", result, error: { code: "signal", message: `ended by ${result.signal}` } };
      }
      return result.exitCode === 0
        ? { type: "succeeded", result }
        : { type: "failed", result, error: { code: "exit", message: `exit code ${result.exitCode ?? "unknown"}` } };
    default:
      return assertNever(outcome);
  }
}
