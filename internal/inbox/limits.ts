import { AppError } from "../base/index.ts";

/** What one job's agent may ask, report and propose: an agent that runs wild fills neither the inbox nor the disk. */
export const JOB_LIMITS = { questions: 50, reports: 100, tasks: 50 } as const;

/** Questions and proposals of one lane that may wait at a time. */
export const LANE_OPEN_MAX = 20;

/** @throws inbox.full when `count` has reached `max` */
export function refuseMore(count: number, max: number, what: string): void {
  if (count < max) return;
  throw new AppError({
    code: "inbox.full",
    message: `there are ${count} ${what} already, at most ${max} are taken`,
    hint: "go on with what you know, or end and say what is open",
  });
}
