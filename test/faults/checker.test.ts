import { describe, expect, it } from "vitest";
import { type Evidence, findViolations, readLedger, type Violation } from "./checker.ts";

/** Two jobs of one lane; the second failed at its first attempt (its worker was killed) and was tried again. */
const SOUND: Evidence = {
  ledger: [
    "a/1 start 11 1000",
    "a/1 end 11 1500",
    "b/1 start 12 1600",
    "b/2 start 13 2600",
    "b/2 end 13 3000",
    "",
  ].join("\n"),
  acknowledged: ["a", "b"],
  jobs: [
    { id: "a", lane: "l", phase: "succeeded" },
    { id: "b", lane: "l", phase: "succeeded" },
  ],
  attempts: [
    { job: "a", attempt: 1 },
    { job: "b", attempt: 1 },
    { job: "b", attempt: 2 },
  ],
  events: [
    { job: "a", attempt: 0, seq: 1, workerSeq: null },
    { job: "a", attempt: 1, seq: 2, workerSeq: 1 },
    { job: "a", attempt: 1, seq: 3, workerSeq: 2 },
    { job: "b", attempt: 1, seq: 1, workerSeq: 1 },
    { job: "b", attempt: 2, seq: 2, workerSeq: 1 },
    { job: "b", attempt: 2, seq: 3, workerSeq: 2 },
  ],
  containers: [{ lane: "l", state: "running" }],
};

const withLedger = (...lines: readonly string[]): Evidence => ({ ...SOUND, ledger: `${lines.join("\n")}\n` });
const withPhase = (phase: string): Evidence => ({
  ...SOUND,
  jobs: SOUND.jobs.map((job) => (job.id === "b" ? { ...job, phase } : job)),
});
const withEvents = (change: (events: Evidence["events"]) => Evidence["events"]): Evidence => ({
  ...SOUND,
  events: change(SOUND.events),
});
const kindsIn = (evidence: Evidence) => findViolations(evidence).map(({ what }) => what);

describe("the checker", () => {
  it("finds nothing where nothing is wrong", () => {
    expect(findViolations(SOUND)).toEqual([]);
  });

  /** What a defect of the product would leave behind, one each. */
  const planted: readonly [string, Evidence, readonly Violation["what"][]][] = [
    ["a job that was acknowledged and forgotten", { ...SOUND, acknowledged: ["a", "b", "c"] }, ["missing"]],
    ["a job that never ends", withPhase("dispatching"), ["not_terminal"]],
    ["a job that waits for ever", withPhase("queued"), ["not_terminal"]],
    [
      "an attempt that was started twice",
      withLedger("a/1 start 11 1000", "a/1 end 11 1500", "a/1 start 14 1600", "b/2 start 13 2600", "b/2 end 13 3000"),
      ["started_twice"],
    ],
    [
      "an attempt nobody has on record",
      { ...SOUND, attempts: SOUND.attempts.filter((one) => one.job !== "a") },
      ["started_unrecorded"],
    ],
    [
      "two attempts at the same time",
      withLedger(
        "a/1 start 11 1",
        "a/1 end 11 2",
        "b/1 start 12 1600",
        "b/2 start 13 2600",
        "b/1 end 12 2700",
        "b/2 end 13 3000",
      ),
      ["overlap"],
    ],
    [
      "an event that was lost",
      withEvents((events) => events.filter((one) => one.job !== "a" || one.seq !== 2)),
      ["event_gap", "event_gap"],
    ],
    [
      "a log that does not begin at 1",
      withEvents((events) => events.filter((one) => one.seq !== 1)),
      ["event_gap", "event_gap"],
    ],
    [
      "an event that was stored twice",
      withEvents((events) => [...events, { job: "a", attempt: 1, seq: 4, workerSeq: 2 }]),
      ["event_repeat"],
    ],
    [
      "a success that was not one",
      withLedger("a/1 start 11 1000", "b/1 start 12 1600", "b/2 start 13 2600", "b/2 end 13 3000"),
      ["no_end"],
    ],
    ["a job that runs in no container", { ...withPhase("running"), containers: [] }, ["not_terminal", "no_process"]],
    [
      "a job that runs in a dead container",
      { ...withPhase("running"), containers: [{ lane: "l", state: "exited" }] },
      ["not_terminal", "no_process"],
    ],
    ["a line nobody can read", { ...SOUND, ledger: `${SOUND.ledger}a/1 sta` }, ["ledger_unreadable"]],
  ];
  it.each(planted)("finds %s", (_, evidence, expected) => {
    expect(kindsIn(evidence)).toEqual(expected);
  });

  it("reads a ledger in the order in which it was written", () => {
    expect(readLedger("a/12 end 3 4\nb/1 start 5 6\n").lines).toEqual([
      { job: "a", attempt: 12, what: "end", pid: 3, atMs: 4 },
      { job: "b", attempt: 1, what: "start", pid: 5, atMs: 6 },
    ]);
  });
});
