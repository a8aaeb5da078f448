import { AppError } from "../base/index.ts";
import type { ApiJob, ApiLane } from "../protocol/index.ts";
import { loadProtocol } from "./context.ts";

/** Has the job ended for good (short of a retry)? */
export function isEnded(state: string): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled" || state === "lost";
}

/** Numbers of the signals jobs die of; others are unknown to shells as well. */
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGXCPU: 24,
};

const EXIT_FAILED = 1;
const EXIT_LOGIN = 4;
const EXIT_BLOCKED = 8;
const EXIT_DEADLINE = 124;
const EXIT_SIGNAL_BASE = 128;
const EXIT_INTERRUPTED = 130;

/** The exit code that stands for a signal: 128 + its number. */
export function exitCodeOfSignal(signal: string): number {
  const number = SIGNALS[signal.startsWith("SIG") ? signal : `SIG${signal}`];
  return number === undefined ? EXIT_FAILED : EXIT_SIGNAL_BASE + number;
}

/** What an ended job means for the caller: an exit code, and a message where the code alone does not say it. */
export interface JobOutcome {
  readonly exitCode: number;
  readonly message: string | null;
  readonly hint: string | null;
}

/** Judges a job that has ended, or waits for an answer. The inner exit code passes through. */
export function judgeJob(job: ApiJob): JobOutcome {
  const failed = job.error?.message ?? `job ${job.id} ${job.state}`;
  const again = `lane job retry ${job.id}`;
  switch (job.state) {
    case "succeeded":
      return { exitCode: job.exitCode ?? 0, message: null, hint: null };
    case "awaiting_answer":
      return blockedOn(job);
    case "cancelled":
      return { exitCode: EXIT_INTERRUPTED, message: `job ${job.id} was cancelled`, hint: null };
    case "lost":
      return { exitCode: EXIT_FAILED, message: `job ${job.id} is lost: ${failed}`, hint: again };
  }
  if (job.error?.code === "deadline") return { exitCode: EXIT_DEADLINE, message: failed, hint: null };
  if (job.error?.code === "agent.login") {
    return { exitCode: EXIT_LOGIN, message: failed, hint: `log in, then: ${again}` };
  }
  if (job.error?.code === "interrupted") {
    return { exitCode: EXIT_FAILED, message: `job ${job.id} was interrupted: ${failed}`, hint: again };
  }
  if (job.signal !== null) return { exitCode: exitCodeOfSignal(job.signal), message: failed, hint: null };
  // A command that just failed has said why itself.
  if (job.exitCode !== null && job.error?.code === "exit") return { exitCode: job.exitCode, message: null, hint: null };
  return { exitCode: job.exitCode ?? EXIT_FAILED, message: failed, hint: null };
}

function blockedOn({ id, question }: ApiJob): JobOutcome {
  const item = question ?? "<item>";
  return {
    exitCode: EXIT_BLOCKED,
    message: `job ${id} waits for an answer to question ${item}`,
    hint: `lane answer ${item}; the job goes on then: lane job wait ${id}`,
  };
}

/** Throws unless the lane is ready: with the cause's own code where it is one of ours. */
export async function requireReady(lane: ApiLane, waitMs: number): Promise<void> {
  if (lane.state === "ready") return;
  const { isErrorCode } = await loadProtocol();
  const { cause } = lane;
  const why = cause === null ? "" : `: ${cause.message}`;
  if (lane.state === "failed" || lane.state === "unknown") {
    throw new AppError({
      code: cause !== null && isErrorCode(cause.code) ? cause.code : "lane.failed",
      message: `lane ${lane.name} is ${lane.state}${why}`,
      hint: cause?.hint ?? `see \`lane show ${lane.name}\`, then \`lane start ${lane.name}\``,
      details: { lane: lane.id, "last log lines": lane.logTail },
    });
  }
  throw new AppError({
    code: "timeout",
    message: `lane ${lane.name} is ${lane.state} after ${waitMs} ms${why}`,
    hint: `it goes on: see \`lane show ${lane.name}\``,
    details: { lane: lane.id },
  });
}

/** Throws unless the lane has stopped. A lane that never had a container has as well. @throws timeout */
export function requireStopped(lane: ApiLane, waitMs: number): void {
  if (lane.state === "stopped" || lane.state === "absent") return;
  throw new AppError({
    code: "timeout",
    message: `lane ${lane.name} is ${lane.state} after ${waitMs} ms${lane.cause === null ? "" : `: ${lane.cause.message}`}`,
    hint: `it goes on: see \`lane show ${lane.name}\``,
    details: { lane: lane.id },
  });
}
