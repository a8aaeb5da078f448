import { join } from "node:path";
import { type Clock, faultPoint } from "../../base/index.ts";
import type { StartWork } from "../../protocol/index.ts";
import type { ProcessIdentity } from "../identity.ts";
import { buildJobEnv, type JobEnvBase, toMarker } from "../job-env.ts";
import type { WorkerLog } from "../log.ts";
import { ATTEMPT_FILES, type AttemptLog, syncPath } from "../spool/index.ts";
import type { AgentReader, AgentSink } from "./agent-reader.ts";
import { type Ending, endProcesses, type LadderStep } from "./end-processes.ts";
import { findMarked } from "./find-marked.ts";
import { type Launched, launch, type ProcessExit } from "./launch.ts";
import type { LaunchWord } from "./launch-script.ts";
import { type EndReason, toOutcome } from "./outcome.ts";
import { createOutputCollector, type StreamName } from "./output-collector.ts";
import type { PipePool } from "./pipe-pool.ts";
import {
  membersOf,
  type ProcessEntry,
  type ProcessRef,
  type ProcessUsage,
  readProcess,
  readProcessTable,
  usageOf,
} from "./process-table.ts";

/** How long output is waited for once the process itself has ended: a background child may hold the streams open. */
const DRAIN_MS = 250;

/** Longer timers fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What running attempts needs. */
export interface RunDeps {
  readonly clock: Clock;
  readonly log: WorkerLog;
  readonly identity: ProcessIdentity;
  readonly env: JobEnvBase;
  readonly ladder: readonly LadderStep[];
  readonly pipes: PipePool;
}

/** Makes the reader of an agent's stream. */
export type NewReader = (sink: AgentSink) => AgentReader | null;

/** An attempt whose processes may be alive. */
export interface RunningAttempt {
  readonly attempt: AttemptLog;
  /** Begins to end it, unless its process has ended already; the first reason counts. `shutdown` hurries. */
  end(reason: EndReason): void;
  /** Stops or resumes reading its output. */
  setPaused(paused: boolean): void;
  /** What its processes have used so far, as the process table says. */
  measure(table: readonly ProcessEntry[]): ProcessUsage;
  /** Resolves once the end is spooled. Never rejects. */
  readonly ended: Promise<void>;
}

/**
 * Runs an accepted attempt once:
 *
 * ```
 *  launching -- claimed, marker durable --> running -- exit, output drained --> ended
 *      |                                       |                                  ^
 *      +-------------- end(reason) ------------+--> ending -- no process left ----+
 * ```
 */
export function runAttempt(
  attempt: AttemptLog,
  work: StartWork,
  deps: RunDeps & { readonly newReader: NewReader | null },
): RunningAttempt {
  const { record } = attempt;
  const marker = join(attempt.dir, ATTEMPT_FILES.marker);
  let exit: ProcessExit | null = null;
  let lastWord: LaunchWord | null = null;
  let launchError: Error | null = null;
  let ending: { readonly reason: EndReason; readonly processes: Ending } | null = null;
  let drained = false;
  let paused = false;
  let over = false;
  let cancelDeadline = () => {};
  let cancelDrain = () => {};
  let resolveEnded = () => {};
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });

  const output = createOutputCollector({
    capBytes: work.outputCapBytes,
    rawStdout: deps.newReader !== null,
    emit: (bodies) => attempt.appendOutput(bodies),
    emitGap: (bytes) => attempt.appendLife({ type: "gap", bytes }),
    schedule: setImmediate,
  });
  const reader = deps.newReader?.({ emit: (events) => attempt.appendOutput(events), schedule: setImmediate }) ?? null;
  const onOutput = (stream: StreamName, bytes: Buffer) => {
    output.push(stream, bytes);
    if (stream === "stdout") reader?.push(bytes);
  };

  const finish = () => {
    if (over) return;
    over = true;
    cancelDeadline();
    cancelDrain();
    launched?.dropOutput();
    output.end();
    reader?.end();
    const result = {
      exitCode: exit?.code ?? null,
      signal: exit?.signal ?? null,
      stderrTail: output.stderrTail(),
      truncated: output.truncated(),
      ...(reader && { agent: reader.summary() }),
    };
    const { cwd, deadlineMs } = work;
    const outcome = toOutcome({ result, ended: ending?.reason ?? null, lastWord, cwd, deadlineMs, launchError });
    faultPoint("worker.before-finished");
    attempt.appendLife({ type: "finished", outcome });
    resolveEnded();
  };
  const settle = () => {
    if (exit === null || !drained) return;
    if (ending === null) finish();
    else void ending.processes.done.then(finish);
  };
  const onExit = (how: ProcessExit) => {
    exit = how;
    if (drained) return settle();
    // What is left is at most what the pipes hold: read it in any case.
    launched?.setPaused(false);
    cancelDrain = deps.clock.timer(DRAIN_MS, () => {
      // A busy loop runs timers before it reads: give what is waiting its turn.
      setImmediate(() => setImmediate(onDrained));
    });
  };
  const onDrained = () => {
    drained = true;
    settle();
  };
  const onWord = (word: LaunchWord) => {
    lastWord = word;
    if (word === "claimed") void onClaimed();
  };
  const onClaimed = async () => {
    faultPoint("worker.claimed");
    try {
      await Promise.all([syncPath(marker), syncPath(attempt.dir)]);
    } catch (caught) {
      deps.log.error("start marker not synced", { attempt: attempt.key, err: caught });
      launchError = new Error(`its start marker cannot be made durable: ${(caught as Error).message}`);
      launched?.abandon();
      return;
    }
    if (ending !== null || launched === null) return;
    faultPoint("worker.before-started");
    attempt.appendLife({ type: "started", pid: launched.pid });
    faultPoint("worker.started");
    if (work.deadlineMs !== null) {
      cancelDeadline = deps.clock.timer(Math.min(work.deadlineMs, LONGEST_TIMER_MS), () => end("deadline"));
    }
    launched.go();
  };
  const onFailed = (error: Error) => {
    launchError = error;
    setImmediate(finish);
  };

  const env = buildJobEnv(deps.env, work.env, record);
  const launched: Launched | null = launch({ marker, identity: deps.identity, work, env }, deps.pipes, {
    word: onWord,
    output: onOutput,
    exit: onExit,
    closed: onDrained,
    failed: onFailed,
  });
  const root: ProcessEntry | null = launched === null ? null : readProcess(launched.pid);

  const end = (reason: EndReason) => {
    if (ending !== null) {
      if (reason === "shutdown") ending.processes.hurry();
      return;
    }
    if (exit !== null || launched === null) return;
    launched.abandon();
    const processes = endProcesses(root ?? { pid: launched.pid, startTime: 0 }, {
      clock: deps.clock,
      ladder: deps.ladder,
      readTable: readProcessTable,
      findMarked: () => findMarked(deps.identity, toMarker(record.job, record.attempt)),
      kill: (pid, signal) => sendSignal(pid, signal, deps.log),
      onSignal: (signal) => attempt.appendLife({ type: "cancelling", signal }),
    });
    if (reason === "shutdown") processes.hurry();
    ending = { reason, processes };
  };

  let followed: readonly ProcessRef[] = root === null ? [] : [root];

  return {
    attempt,
    end,
    measure: (table) => {
      const members = membersOf(table, followed);
      followed = [...followed.slice(0, 1), ...members];
      return usageOf(members);
    },
    setPaused: (wanted) => {
      if (paused === wanted || exit !== null) return;
      paused = wanted;
      launched?.setPaused(wanted);
    },
    ended,
  };
}

function sendSignal(pid: number, signal: NodeJS.Signals, log: WorkerLog): void {
  if (pid <= 1 || pid === process.pid) return;
  try {
    process.kill(pid, signal);
  } catch (caught) {
    // Gone already, as a rule.
    if ((caught as NodeJS.ErrnoException).code !== "ESRCH")
      log.warn("process not signalled", { pid, signal, err: caught });
  }
}
