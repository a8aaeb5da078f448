import { toError } from "../base/index.ts";
import type { Job } from "../job/index.ts";
import type { DispatcherDeps } from "./context.ts";
import { toFailureReport } from "./failure-report.ts";
import type { JobRecords } from "./ports.ts";

/** The process may have ended between a commit and its files: the latest jobs are looked at when it starts, */
const LOOKED_AT = 100;
/** and of each of their lanes the latest attempts with events, which a long queue hides. */
const LOOKED_AT_PER_LANE = 3;

/** Files the failure report of the job's latest attempt. Never throws. */
export function fileFailure(deps: DispatcherDeps, job: Job, generation: number): void {
  const { files, log, redact } = deps;
  if (!files) return;
  try {
    const spec = deps.findSpec?.(job.laneId, generation) ?? null;
    const report = toFailureReport(job, { generation, spec, redact });
    if (report) files.writeFailure(report);
  } catch (caught) {
    log.warn({ lane: job.laneId, jobId: job.id, err: toError(caught) }, "no failure report could be made");
  }
}

/** Brings the files of the latest jobs in line with the store. Never throws. */
export function mendFiles(deps: DispatcherDeps): void {
  const { files, log, store } = deps;
  if (!files) return;
  try {
    for (const job of latestJobs(store.jobs)) {
      const { attempt } = job.state;
      const record = store.jobs.findAttempt(job.id, attempt);
      // The files of a removed lane's jobs are gone for good.
      if (!record || !store.jobs.hasLane(job.laneId)) continue;
      files.complete(job.id, attempt);
      if (files.find(job.id, attempt).failure === null) fileFailure(deps, job, record.generation);
    }
  } catch (caught) {
    log.warn({ err: toError(caught) }, "files of earlier jobs could not be looked at");
  }
}

function latestJobs(jobs: JobRecords): Iterable<Job> {
  const latest = new Map([...jobs.list({ limit: LOOKED_AT }), ...jobs.listActive(null)].map((job) => [job.id, job]));
  for (const lane of new Set([...latest.values()].map((job) => job.laneId))) {
    for (const { job: id } of jobs.listAcked(lane, LOOKED_AT_PER_LANE)) {
      const job = latest.get(id) ?? jobs.find(id);
      if (job) latest.set(id, job);
    }
  }
  return latest.values();
}
