import type { JobResult, WorkerOutcome } from "../../job/index.ts";
import type { LaunchWord } from "./launch-script.ts";

/** Why an attempt was ended from outside. */
export type EndReason = "cancel" | "deadline" | "shutdown" | "spool_corrupt";

/** What is known once an attempt's processes are gone. */
export interface AttemptEnd {
  readonly result: JobResult;
  /** Null: it ended by itself. */
  readonly ended: EndReason | null;
  /** The launcher's last word. */
  readonly lastWord: LaunchWord | null;
  readonly cwd: string;
  readonly deadlineMs: number | null;
  /** The launcher could not even be started. */
  readonly launchError: Error | null;
}

/** Decides an attempt's outcome. */
export function toOutcome(end: AttemptEnd): WorkerOutcome {
  const { result } = end;
  const failed = (code: string, message: string): WorkerOutcome => ({
    kind: "failed",
    error: { code, message: message.slice(0, 4096) },
    result,
  });
  switch (end.ended) {
    case "cancel":
      return { kind: "cancelled", result };
    case "deadline":
      return failed("deadline", `stopped at its deadline of ${end.deadlineMs} ms`);
    case "shutdown":
      return failed("interrupted", "the lane's worker was stopped while this attempt ran");
    case "spool_corrupt":
      return failed("spool_corrupt", "stopped: what it printed cannot be read back from the lane's volume");
  }
  if (end.launchError !== null) return failed("start_failed", `not started: ${end.launchError.message}`);
  switch (end.lastWord) {
    case "executing":
      return { kind: "exited", result };
    case "exists":
      return failed("start_failed", "not started: this attempt has a start marker already");
    case "unmarked":
      return failed("start_failed", "not started: its start marker cannot be written; is the lane's volume full?");
    case "cwd":
      return failed("start_failed", `not started: cannot enter ${end.cwd}`);
    default:
      return failed(
        "start_failed",
        `not started: the launcher ended early: ${result.stderrTail.trim() || "no message"}`,
      );
  }
}
