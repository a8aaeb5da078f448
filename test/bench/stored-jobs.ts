import { newId } from "../../internal/base/index.ts";
import type { Job, JobResult, JobState } from "../../internal/job/index.ts";
import { DEFAULT_SETTINGS } from "../../internal/lane/index.ts";
import type { Store } from "../../internal/store/index.ts";

/** The result of a process that ended well. */
export const DONE: JobResult = { exitCode: 0, signal: null, stderrTail: "", truncated: false };

/** Puts a lane on record, in generation 1, with the workspace it needs. */
export function recordLane(store: Store, id: string): void {
  store.workspaces.insert({ id: "ws", name: "repo", path: "/src/repo", createdAtMs: 1 });
  const place = { workspaceId: "ws", branch: "bench", worktree: "/src/repo.lanes/bench" };
  const rest = { desired: "up", settings: DEFAULT_SETTINGS, generation: 1, createdAtMs: 1 } as const;
  store.lanes.insertLane({ id, name: "bench", ...place, ...rest });
}

/** A command job in `state`, for {@link recordJob}. */
export function newStoredJob(laneId: string, state: JobState): Job {
  const nowMs = Date.now();
  return {
    id: newId(nowMs),
    laneId,
    spec: { work: { kind: "command", argv: ["true"] }, key: null, deadlineMs: null, priority: 0, retry: "never" },
    bodyHash: "ab".repeat(32),
    state,
    createdAtMs: nowMs,
    startedAtMs: nowMs,
    endedAtMs: null,
  };
}

/** Puts a job and its first attempt on record. */
export function recordJob(store: Store, job: Job): void {
  store.jobs.insert(job);
  store.jobs.putAttempt(job.id, 1, 1, job.createdAtMs);
}
