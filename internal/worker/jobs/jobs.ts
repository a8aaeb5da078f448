import type { AgentFile } from "../../agents/index.ts";
import { faultPoint } from "../../base/index.ts";
import type { JobError, WorkerEventBody } from "../../job/index.ts";
import type { AttemptReport, HeartbeatReport, StartWork } from "../../protocol/index.ts";
import { whyEnvInvalid } from "../job-env.ts";
import type { AttemptLog, Spool } from "../spool/index.ts";
import type { PreparedAgent } from "./prepare-agent.ts";
import { readProcessTable } from "./process-table.ts";
import { type NewReader, type RunDeps, type RunningAttempt, runAttempt } from "./run-attempt.ts";

/** Answer to `start` and `cancel`. */
export type JobReply =
  | { readonly kind: "ok"; readonly attempt: AttemptReport }
  | { readonly kind: "refused"; readonly error: JobError };

/** An attempt as the host asks for it. */
export interface StartRequest {
  readonly job: string;
  readonly attempt: number;
  readonly generation: number;
  readonly bodyHash: string;
  readonly work: StartWork;
}

/** The jobs of this lane. */
export interface Jobs {
  /**
   * Idempotent by (job, attempt). Unknown: recorded, then run. Known: reported; and run, if an earlier worker process
   * accepted it but never started it: only the host knows whether that is still wanted.
   */
  start(request: StartRequest): Promise<JobReply>;
  /** Begins to end an attempt; for one that has ended, nothing happens. The end comes as an event. */
  cancel(job: string, attempt: number): Promise<JobReply>;
  /** The attempts whose processes may be alive, with what these have used so far. Reads the process table. */
  running(): readonly HeartbeatReport[];
  /** Ends an attempt, should it run, whose spool cannot be read any more. */
  endDamaged(attempt: AttemptLog): void;
  /** Stops or resumes reading the output of all running attempts. */
  setPaused(paused: boolean): void;
  /** Takes no more and ends what runs. Resolves when all ends are spooled. */
  stop(): Promise<void>;
}

/** What jobs need. `generation` is this worker's. */
export interface JobsDeps extends RunDeps {
  readonly spool: Spool;
  readonly generation: number;
  /** Makes ready for a prompt to the agent of this name. Never rejects. */
  readonly prepareAgent: (agent: string, files: readonly AgentFile[]) => Promise<PreparedAgent>;
}

/** The jobs over a spool. */
export function createJobs(deps: JobsDeps): Jobs {
  const { spool, generation } = deps;
  const running = new Map<string, RunningAttempt>();
  /** Attempts whose record is being made durable: their repeats and cancels wait for it. */
  const accepting = new Map<string, Promise<JobReply>>();
  let stopping = false;
  let paused = false;

  /** In a turn of its own, so that the answer goes out first: starting a process blocks for a millisecond or two. */
  const runSoon = (attempt: AttemptLog, work: StartWork) => {
    const runOnce = (prepared: PreparedAgent | null) => {
      if (stopping || attempt.phase() !== "accepted" || running.has(attempt.key)) return;
      if (prepared?.kind === "failed") attempt.appendLife(unstarted(prepared.error));
      else run(attempt, work, prepared?.newReader ?? null);
    };
    setImmediate(() => {
      const pipes = deps.pipes.wait();
      const agent = work.agent === undefined ? null : deps.prepareAgent(work.agent, work.files ?? []);
      if (pipes === null && agent === null) runOnce(null);
      else void Promise.all([agent, pipes]).then(([prepared]) => runOnce(prepared));
    });
  };
  const run = (attempt: AttemptLog, work: StartWork, newReader: NewReader | null) => {
    const run = runAttempt(attempt, work, { ...deps, newReader });
    running.set(attempt.key, run);
    if (paused) run.setPaused(true);
    void run.ended.then(() => {
      running.delete(attempt.key);
      deps.log.info("attempt ended", { attempt: attempt.key });
    });
    deps.log.info("attempt started", { attempt: attempt.key });
  };
  const startKnown = (attempt: AttemptLog, request: StartRequest): JobReply => {
    if (attempt.record.bodyHash !== request.bodyHash) {
      return refused("body_mismatch", `attempt ${attempt.key} was accepted with another body`);
    }
    runSoon(attempt, request.work);
    return { kind: "ok", attempt: attempt.report() };
  };
  const accept = async (request: StartRequest): Promise<JobReply> => {
    const { job, attempt, bodyHash, work } = request;
    try {
      faultPoint("worker.before-accepted");
      const log = await spool.accept({ job, attempt, bodyHash, generation, atMs: deps.clock.nowMs() });
      faultPoint("worker.accepted");
      runSoon(log, work);
      return { kind: "ok", attempt: log.report() };
    } catch (caught) {
      deps.log.error("attempt not recorded", { attempt: `${job}/${attempt}`, err: caught });
      return refused("spool_failed", `attempt ${job}/${attempt} could not be recorded: ${(caught as Error).message}`);
    }
  };

  const accepted = async (key: string) => {
    for (let pending = accepting.get(key); pending !== undefined; pending = accepting.get(key)) await pending;
  };

  return {
    start: async (request) => {
      const key = `${request.job}/${request.attempt}`;
      if (request.generation !== generation) {
        return refused("stale_generation", `this worker is generation ${generation}, not ${request.generation}`);
      }
      if (accepting.has(key)) await accepted(key);
      const known = spool.find(request.job, request.attempt);
      if (known !== undefined) return startKnown(known, request);
      const invalid = whyEnvInvalid(request.work.env) ?? whyCwdInvalid(request.work.cwd);
      if (invalid !== null) return refused("invalid_work", invalid);
      if (stopping) return refused("stopping", "the lane's worker is stopping");
      const reply = accept(request).finally(() => accepting.delete(key));
      accepting.set(key, reply);
      return reply;
    },
    cancel: async (job, attempt) => {
      const key = `${job}/${attempt}`;
      if (accepting.has(key)) await accepted(key);
      const log = spool.find(job, attempt);
      if (log === undefined) return refused("unknown_attempt", `attempt ${key} was never accepted here`);
      const run = running.get(key);
      if (run !== undefined) run.end("cancel");
      else if (log.phase() === "accepted") log.appendLife(CANCELLED_UNSTARTED);
      return { kind: "ok", attempt: log.report() };
    },
    running: () => {
      if (running.size === 0) return [];
      const table = readProcessTable();
      return [...running.values()].map(({ attempt: { record }, measure }) => {
        const { job, attempt } = record;
        return { job, attempt, usage: measure(table) };
      });
    },
    endDamaged: (attempt) => running.get(attempt.key)?.end("spool_corrupt"),
    setPaused: (wanted) => {
      paused = wanted;
      for (const run of running.values()) run.setPaused(wanted);
    },
    stop: async () => {
      stopping = true;
      await Promise.all(accepting.values());
      const runs = [...running.values()];
      for (const run of runs) run.end("shutdown");
      await Promise.all(runs.map((run) => run.ended));
    },
  };
}

const CANCELLED_UNSTARTED = {
  type: "finished",
  outcome: { kind: "cancelled", result: { exitCode: null, signal: null, stderrTail: "", truncated: false } },
} as const;

function unstarted(error: JobError): WorkerEventBody {
  const { result } = CANCELLED_UNSTARTED.outcome;
  return { type: "finished", outcome: { kind: "failed", error, result } };
}

/** What the frame of an answer takes. */
const REASON_LENGTH = 4096;

function refused(code: string, message: string): JobReply {
  return { kind: "refused", error: { code, message: message.slice(0, REASON_LENGTH) } };
}

function whyCwdInvalid(cwd: string): string | null {
  return cwd.startsWith("/") && !cwd.includes("\0")
    ? null
    : `the working directory ${JSON.stringify(cwd)} is not absolute`;
}
