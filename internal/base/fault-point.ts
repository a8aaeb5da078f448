import { AppError } from "./errors.ts";

/** Defined by a test build only (`LANEKEEPER_TEST_BUILD=1`): faults can be armed. */
declare const LANEKEEPER_FAULTS: boolean | undefined;

/** Every fault point. The part before the dot is the program it is in; those of `answer` are laned's as well. */
export const FAULT_NAMES = [
  /** The job is on the disk, its submitter has no answer. */
  "laned.job-committed",
  /** The next job was chosen, nothing is on record of its attempt. */
  "laned.before-dispatch",
  /** The attempt is on record as `dispatching` and was not sent. */
  "laned.dispatched",
  /** The attempt was sent, nobody has heard of it. */
  "laned.start-sent",
  "laned.before-events",
  "laned.events-committed",
  /** As before, later: what was committed with it is known to those who wait, the worker has not heard. */
  "laned.before-ack",
  /** The job's end is decided and not committed. */
  "laned.before-end",
  /** A question is settled and its job queued again, and nothing of that is committed. */
  "answer.settling",
  /** As before, later: both are on the disk, and the job was not begun. */
  "answer.resumed",
  "worker.before-accepted",
  "worker.accepted",
  /** The start marker is there, whether it is durable is open; the work waits. */
  "worker.claimed",
  "worker.before-started",
  /** `started` is spooled, the work still waits. */
  "worker.started",
  /** The work has ended, its end is nowhere on record. */
  "worker.before-finished",
  "worker.before-send",
] as const;

/** A place at which a test build can be made to die. */
export type FaultName = (typeof FAULT_NAMES)[number];

/**
 * The one thing of a module here that changes: a fault point takes no argument, so that it stays one line wherever it
 * is put. The product has neither this nor the points: the bundler leaves the calls out of it.
 */
let armed: { readonly name: FaultName; left: number } | null = null;

/**
 * Arms a fault point of this process: `name` or `name:n` for its n-th pass. Without effect but in a test build.
 * @throws config.invalid for a text that names none
 */
export function armFaults(text: string | undefined): void {
  if (typeof LANEKEEPER_FAULTS === "undefined" || !text) return;
  const match = /^([a-z.-]+)(?::([1-9]\d{0,8}))?$/.exec(text);
  const name = FAULT_NAMES.find((known) => known === match?.[1]);
  if (name === undefined) {
    throw new AppError({
      code: "config.invalid",
      message: `FAULT=${text} names no fault point`,
      hint: `give one of ${FAULT_NAMES.join(", ")}, with :n for its n-th pass`,
    });
  }
  armed = { name, left: Number(match?.[2] ?? 1) };
}

/** Kills this very process when `name` is armed and this is the pass that was asked for: nothing gets to clean up. */
export function faultPoint(name: FaultName): void {
  if (armed?.name !== name) return;
  armed.left -= 1;
  if (armed.left === 0) process.kill(process.pid, "SIGKILL");
}
