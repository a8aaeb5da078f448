import * as z from "zod";
import type { AgentSummary, Job, JobLogEvent, JobSpec, JobState, WorkerEvent } from "../job/index.ts";
import { parseJson, parseStored } from "./parse-stored.ts";

/** A row of `jobs`, with its idempotency key. */
export interface JobRow {
  readonly n: number;
  readonly id: string;
  readonly lane: string;
  readonly spec: string;
  readonly body_hash: string;
  readonly state: string;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
}

/** A row of `job_events`, with its job's id. */
export interface EventRow {
  readonly job: string;
  readonly seq: number;
  readonly attempt: number;
  readonly at: number;
  readonly type: string;
  readonly body: string;
}

const work = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("command"), argv: z.array(z.string()) }),
  z.object({ kind: z.literal("prompt"), prompt: z.string(), agent: z.string().nullable(), session: z.string() }),
]);

const spec: z.ZodType<JobSpec> = z.object({
  work,
  key: z.string().nullable(),
  deadlineMs: z.number().nullable(),
  priority: z.number(),
  retry: z.enum(["never", "on_lost"]),
});

const agentSummary: z.ZodType<AgentSummary> = z.object({
  session: z.string().nullable(),
  text: z.string().nullable(),
  usage: z
    .object({
      inputTokens: z.number(),
      outputTokens: z.number(),
      cacheReadTokens: z.number(),
      costUsd: z.number().nullable(),
    })
    .nullable(),
  final: z
    .object({
      ok: z.boolean(),
      facts: z.object({
        message: z.string().nullable(),
        httpStatus: z.number().nullable(),
        code: z.string().nullable(),
        resetsAtMs: z.number().nullable(),
      }),
    })
    .nullable(),
});

const result = z.object({
  exitCode: z.number().nullable(),
  signal: z.string().nullable(),
  stderrTail: z.string(),
  truncated: z.boolean(),
  agent: agentSummary.optional(),
});
const error = z.object({ code: z.string(), message: z.string() });
const attempt = z.number().int().nonnegative();
const active = { attempt, generation: z.number().int(), reachable: z.boolean(), cancelling: z.boolean() };

const state: z.ZodType<JobState> = z.discriminatedUnion("phase", [
  z.object({ phase: z.literal("queued"), attempt, waiting: z.string().nullable() }),
  z.object({ phase: z.literal("dispatching"), ...active }),
  z.object({ phase: z.literal("accepted"), ...active }),
  z.object({ phase: z.literal("running"), ...active }),
  z.object({ phase: z.literal("awaiting_answer"), attempt, item: z.string(), result }),
  z.object({ phase: z.literal("succeeded"), attempt, result }),
  z.object({ phase: z.literal("failed"), attempt, result, error }),
  z.object({ phase: z.literal("cancelled"), attempt, result: result.nullable(), forced: z.boolean() }),
  z.object({ phase: z.literal("lost"), attempt, error }),
]);

/** A row as a {@link Job}. @throws store.corrupt */
export function parseJob(row: JobRow, path: string): Job {
  return {
    id: row.id,
    laneId: row.lane,
    spec: parseStored(spec, row.spec, { path, what: `job ${row.id}, spec` }),
    bodyHash: row.body_hash,
    state: parseStored(state, row.state, { path, what: `job ${row.id}, state` }),
    createdAtMs: row.created_at,
    startedAtMs: row.started_at,
    endedAtMs: row.ended_at,
  };
}

/**
 * A row as a {@link JobLogEvent}. Hot path: the bodies were checked when they came in, and only our own code writes
 * them, so their shape is not checked again. @throws store.corrupt for what is no JSON
 */
export function toLogEvent(row: EventRow, path: string): JobLogEvent {
  const body = parseJson(row.body, { path, what: `job ${row.job}, event ${row.seq}` }) as object;
  const { seq, job, attempt, at: atMs, type } = row;
  return { seq, job, attempt, atMs, type, ...body } as JobLogEvent;
}

/** A row of `job_events` as the worker said it. */
export interface WorkerEventRow {
  readonly worker_seq: number;
  readonly at: number;
  readonly type: string;
  readonly body: string;
}

/** A row as a {@link WorkerEvent}. As with {@link toLogEvent}, its shape is not checked again. */
export function toWorkerEvent(row: WorkerEventRow, at: { readonly path: string; readonly job: string }): WorkerEvent {
  const body = parseJson(row.body, { path: at.path, what: `job ${at.job}, worker event ${row.worker_seq}` }) as object;
  return { seq: row.worker_seq, atMs: row.at, type: row.type, ...body } as WorkerEvent;
}
