import { expect, it } from "vitest";
import type { ActiveState } from "../job/index.ts";
import type { AttemptReport } from "../protocol/index.ts";
import { resolveAttempt } from "./resolve-attempt.ts";

const HASH = "a".repeat(64);
const state = (phase: ActiveState["phase"], cancelling = false): ActiveState => ({
  phase,
  attempt: 1,
  generation: 1,
  reachable: false,
  cancelling,
});
const report = (phase: AttemptReport["state"], more: Partial<AttemptReport> = {}): AttemptReport => ({
  job: "j",
  attempt: 1,
  bodyHash: HASH,
  state: phase,
  lastSeq: 5,
  ...more,
});

/** Columns: ours, to be cancelled, the worker's word (null: unknown), same spool, what we told it we have, resolution. */
// biome-ignore format: the table
const TABLE: readonly (readonly [ActiveState["phase"], boolean, AttemptReport | null, boolean, number, string])[] = [
  // unknown to the worker, same spool
  ["dispatching", false, null, true, 0, "send"],
  ["dispatching", true, null, true, 0, "never_sent"],
  ["accepted", false, null, true, 0, "lost: no longer knows"],
  ["accepted", true, null, true, 0, "lost: no longer knows"],
  ["running", false, null, true, 5, "lost: no longer knows"],
  ["running", true, null, true, 5, "lost: no longer knows"],
  // unknown to the worker, another spool
  ["dispatching", false, null, false, 0, "lost: replaced"],
  ["dispatching", true, null, false, 0, "lost: replaced"],
  ["accepted", false, null, false, 0, "lost: replaced"],
  ["running", false, null, false, 5, "lost: replaced"],
  // taken and not started: only the host knows whether it is still wanted
  ["dispatching", false, report("accepted", { lastSeq: 0 }), true, 0, "send accepted"],
  ["accepted", false, report("accepted", { lastSeq: 0 }), true, 0, "send accepted"],
  ["accepted", true, report("accepted", { lastSeq: 0 }), true, 0, "resume cancel"],
  // running
  ["dispatching", false, report("running"), true, 0, "resume"],
  ["accepted", false, report("running"), true, 0, "resume"],
  ["running", false, report("running"), true, 5, "resume"],
  ["running", true, report("running"), true, 5, "resume cancel"],
  ["running", false, report("running"), false, 5, "resume"],
  // ended
  ["dispatching", false, report("finished"), true, 0, "replay"],
  ["accepted", true, report("finished"), true, 0, "replay"],
  ["running", false, report("finished"), true, 5, "replay"],
  ["running", false, report("finished", { lastSeq: 3 }), true, 5, "replay"],
  // what cannot be believed
  ["running", false, report("accepted", { lastSeq: 0 }), true, 5, "lost: set back, stop"],
  ["running", false, report("running", { lastSeq: 4 }), true, 5, "lost: set back, stop"],
  ["running", false, report("running", { bodyHash: "b".repeat(64) }), true, 5, "lost: other work, stop"],
  ["dispatching", false, report("finished", { bodyHash: "b".repeat(64) }), true, 0, "lost: other work, stop"],
];

it.each(TABLE)(
  "%s, cancelling %s, worker says %o, same spool %s, told %s -> %s",
  (phase, cancelling, said, sameSpool, toldSeq, expected) => {
    const resolution = resolveAttempt({
      state: state(phase, cancelling),
      bodyHash: HASH,
      toldSeq,
      sameSpool,
      report: said,
    });
    const [kind, ...words] = expected.split(/[ :,]+/);
    expect(resolution.kind).toBe(kind);
    if (resolution.kind === "send") expect(resolution.accepted).toBe(words.includes("accepted"));
    if (resolution.kind === "resume") expect(resolution.cancel).toBe(words.includes("cancel"));
    if (resolution.kind !== "lost") return;
    expect(resolution.stop).toBe(words.includes("stop"));
    expect(resolution.error.code).toBe("spool_lost");
    expect(resolution.error.message).toContain(words.filter((word) => word !== "stop").join(" "));
  },
);
