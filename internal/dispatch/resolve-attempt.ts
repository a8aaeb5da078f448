import type { ActiveState, JobError } from "../job/index.ts";
import type { AttemptReport } from "../protocol/index.ts";

/** What becomes of an active attempt when a link to its lane has been opened. */
export type Resolution =
  /** The worker never got it, or took it and never started it: the same attempt is sent again. */
  | { readonly kind: "send"; readonly accepted: boolean }
  /** The worker never got it and it is to be cancelled: so it is. */
  | { readonly kind: "never_sent" }
  /** The worker has it; a wish to cancel is sent again. */
  | { readonly kind: "resume"; readonly cancel: boolean }
  /** It has ended there: its events come by replay and say how. */
  | { readonly kind: "replay" }
  /** Nobody can say any more. `stop`: the worker may be running something under this name, which must end. */
  | { readonly kind: "lost"; readonly error: JobError; readonly stop: boolean };

/**
 * The table of guarantees, section 3. One row is stricter than there: an attempt that the worker had confirmed and now
 * does not know, on the same spool, is not sent again. Its start marker may be lost with the rest, so sending it could
 * start it twice.
 */
export function resolveAttempt(facts: {
  readonly state: ActiveState;
  readonly bodyHash: string;
  /** The last of the attempt's events that the worker was told we have, before it sent any on this link. */
  readonly toldSeq: number;
  /** The lane's spool is the one it had when the attempt was sent. */
  readonly sameSpool: boolean;
  readonly report: AttemptReport | null;
}): Resolution {
  const { state, report } = facts;
  if (report === null) {
    if (!facts.sameSpool) return lost("the lane's spool was replaced", false);
    if (state.phase !== "dispatching") return lost("the worker no longer knows an attempt it had taken", false);
    return state.cancelling ? { kind: "never_sent" } : { kind: "send", accepted: false };
  }
  if (report.bodyHash !== facts.bodyHash) return lost("the worker has other work under this attempt", true);
  // The end of an attempt that lost its worker is numbered after what we have, whatever this report says.
  if (report.state === "finished") return { kind: "replay" };
  if (report.lastSeq < facts.toldSeq) return lost("the lane's spool was set back to an earlier state", true);
  if (state.cancelling) return { kind: "resume", cancel: true };
  // A worker that starts anew waits for us with what it had taken and not started: only we know if it is still wanted.
  return report.state === "accepted" ? { kind: "send", accepted: true } : { kind: "resume", cancel: false };
}

function lost(message: string, stop: boolean): Resolution {
  return { kind: "lost", error: { code: "spool_lost", message }, stop };
}
