import type { JobService } from "../hostapi/index.ts";
import type { Inbox } from "../inbox/index.ts";
import { isTerminal, type Job } from "../job/index.ts";
import type { Core } from "./core.ts";

/** Whoever follows a job waits so long, once it has ended, for what it has committed. */
const COMMITS_WAIT_MS = 5000;

/**
 * Work as the host API needs it: the dispatcher's, and a job that comes to a stopped lane starts it. Who has followed a
 * job to its end finds its commits on the host.
 */
export function createJobService({ dispatcher, files, inbox, store, supervisor, gitDesk }: Core): JobService {
  const wanted = (laneId: string) => {
    if (supervisor.findLane(laneId)?.desired === "stopped") void supervisor.ensure(laneId, { waitMs: 0 });
  };
  return {
    ...dispatcher,
    follow: async function* (id, opts) {
      yield* dispatcher.follow(id, opts);
      const lane = supervisor.findLane(dispatcher.findJob(id).laneId);
      if (lane !== null) await gitDesk.settle(lane, { ...opts, waitMs: COMMITS_WAIT_MS });
    },
    sessionOf: (job) => (job.spec.work.kind === "prompt" ? store.jobs.findSession(job.id) : null),
    gitOf: (job) => store.jobs.findGit(job.id),
    questionOf: (job) => (isTerminal(job.state) ? null : openQuestionOf(inbox, job)),
    summaryOf: (job) => store.laneCalls.findSummary(job.id),
    filesOf: (job) => files.find(job.id, job.state.attempt),
    submit: (opts) => {
      const submitted = dispatcher.submit(opts);
      wanted(opts.laneId);
      return submitted;
    },
    retry: (id) => {
      const job = dispatcher.retry(id);
      wanted(job.laneId);
      return job;
    },
  };
}

function openQuestionOf(inbox: Pick<Inbox, "listPending">, { id }: Job): string | null {
  return inbox.listPending(id).find(({ settled }) => !settled)?.id ?? null;
}
