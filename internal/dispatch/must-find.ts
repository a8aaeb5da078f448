import { AppError } from "../base/index.ts";
import type { Job } from "../job/index.ts";
import type { DispatchStore } from "./ports.ts";

/** A job by its whole id. @throws job.not_found */
export function mustFind(store: DispatchStore, id: string): Job {
  const job = store.jobs.find(id);
  if (!job) throw notFound(id);
  return job;
}

/** There is no such job. */
export function notFound(id: string): AppError {
  return new AppError({ code: "job.not_found", message: `there is no job ${id}`, hint: "see lane jobs" });
}
