export { END_LADDER, type LadderStep } from "./end-processes.ts";
export { createJobs, type JobReply, type Jobs, type JobsDeps, type StartRequest } from "./jobs.ts";
export { createPipePool, type PipePool } from "./pipe-pool.ts";
