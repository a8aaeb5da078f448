import type { Job, JobError } from "../job/index.ts";
import type { LaneSpec } from "../lane/index.ts";
import { type Redact, redactError } from "./redact-events.ts";

/** Why an attempt failed, and what it ran in: everything to look at first. No value of an environment, no secret. */
export interface FailureReport {
  readonly job: string;
  readonly attempt: number;
  readonly phase: "failed" | "lost";
  readonly lane: string;
  /** The last one whose worker had it. */
  readonly generation: number;
  readonly error: JobError;
  /** Null for what never had a process, or where that is not known. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderrTail: string;
  /** Null for what is no command. */
  readonly argv: readonly string[] | null;
  /** Id of the image. Null, as are mounts and environment, where the container's description is gone. */
  readonly image: string | null;
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[] | null;
  /** Names only. */
  readonly env: readonly string[] | null;
  /** Times in ISO 8601. */
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
}

/** The report of the job's latest attempt; null when that has not failed. Pure. */
export function toFailureReport(
  job: Job,
  at: { readonly generation: number; readonly spec: LaneSpec | null; readonly redact: Redact },
): FailureReport | null {
  const { state } = job;
  const { generation, spec, redact } = at;
  if (state.phase !== "failed" && state.phase !== "lost") return null;
  const result = state.phase === "failed" ? state.result : null;
  const { work } = job.spec;
  return {
    job: job.id,
    attempt: state.attempt,
    phase: state.phase,
    lane: job.laneId,
    generation,
    error: redactError(state.error, redact),
    exitCode: result?.exitCode ?? null,
    signal: result?.signal ?? null,
    stderrTail: redact(result?.stderrTail ?? ""),
    argv: work.kind === "command" ? work.argv.map(redact) : null,
    image: spec?.image.id ?? null,
    mounts: spec && mountsOf(spec),
    env: spec && Object.keys(spec.env).sort(),
    createdAt: iso(job.createdAtMs),
    startedAt: job.startedAtMs === null ? null : iso(job.startedAtMs),
    endedAt: job.endedAtMs === null ? null : iso(job.endedAtMs),
  };
}

function mountsOf(spec: LaneSpec): NonNullable<FailureReport["mounts"]> {
  const ours = [...spec.worker.binaries, ...spec.agents];
  return [
    ...spec.mounts.map(({ source, target, readOnly }) => ({ source, target, readOnly })),
    ...ours.map(({ hostPath, target }) => ({ source: hostPath, target, readOnly: true })),
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
