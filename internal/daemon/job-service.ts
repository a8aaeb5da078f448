import type { JobService } from "../hostapi/index.ts";
import type { Core } from "./core.ts";

/** Work as the host API needs it: the dispatcher's, and a job that comes to a stopped lane starts it. */
export function createJobService({ dispatcher, files, store, supervisor }: Core): JobService {
  const wanted = (laneId: string) => {
    if (supervisor.findLane(laneId)?.desired === "stopped") void supervisor.ensure(laneId, { waitMs: 0 });
  };
  return {
    ...dispatcher,
    sessionOf: (job) => (job.spec.work.kind === "prompt" ? store.jobs.findSession(job.id) : null),
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
