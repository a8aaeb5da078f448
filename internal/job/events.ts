import type { AgentEvent } from "./agent-events.ts";
import type { JobError, JobResult } from "./job-state.ts";

/**
 * One event of a job's stream. `seq` counts from 1 per attempt in the worker's spool; the host numbers its own log
 * 1..n per job over all attempts. Lifecycle events are never merged or dropped.
 */
export type WorkerEvent = { readonly seq: number; readonly atMs: number } & WorkerEventBody;

/** What a {@link WorkerEvent} says. */
export type WorkerEventBody =
  /** The start marker exists: the process was executed. `pid` is the one inside the container. */
  | { readonly type: "started"; readonly pid: number }
  /** `raw`: an agent's own stream, whose meaning is in the events beside it. */
  | ({
      readonly type: "output";
      readonly stream: "stdout" | "stderr";
      readonly raw?: true | undefined;
    } & OutputChunk)
  /** Output between two events was cut. */
  | { readonly type: "gap"; readonly bytes: number }
  /** Processes are still being ended. */
  | { readonly type: "cancelling"; readonly signal: string }
  | { readonly type: "finished"; readonly outcome: WorkerOutcome }
  /** Of prompts: what the agent's stream means. The stream itself is `output` as well. */
  | AgentEvent;

/** Output is text where it is UTF-8, else base 64. Exactly one of both is there. */
export type OutputChunk = { readonly text: string } | { readonly base64: string };

/** How an attempt ended, in the worker's words. */
export type WorkerOutcome =
  | { readonly kind: "exited"; readonly result: JobResult }
  | { readonly kind: "cancelled"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly error: JobError; readonly result: JobResult };

/** An event in the host's log of a job, as clients see it. */
export type JobLogEvent = {
  readonly seq: number;
  readonly job: string;
  readonly attempt: number;
  readonly atMs: number;
} & (WorkerEventBody | HostEventBody);

/** Events the host itself adds to a job's log. */
export type HostEventBody =
  | { readonly type: "state"; readonly phase: string; readonly detail: string | null }
  /** What the job's agent reported. `files`: paths below the work tree, as it gave them. */
  | {
      readonly type: "report";
      readonly level: "info" | "warn" | "done" | "blocked";
      readonly text: string;
      readonly files: readonly string[];
    }
  /** The job's agent asked a person; `item` waits in the inbox. */
  | {
      readonly type: "ask";
      readonly question: string;
      readonly choices: readonly string[];
      readonly item: string;
    };

/** What lanes say of their jobs through the host API. */
export type LaneWord = Extract<HostEventBody, { readonly type: "report" | "ask" }>;
