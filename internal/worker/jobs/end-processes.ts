import type { Clock } from "../../base/index.ts";
import { membersOf, type ProcessEntry, type ProcessRef } from "./process-table.ts";

/** One step: a signal, and how long it is given before the next. After the last step comes KILL. */
export interface LadderStep {
  readonly signal: "SIGINT" | "SIGTERM";
  readonly waitMs: number;
}

/** INT, 10 s, TERM, 10 s, KILL. */
export const END_LADDER: readonly LadderStep[] = [
  { signal: "SIGINT", waitMs: 10_000 },
  { signal: "SIGTERM", waitMs: 10_000 },
];

/** How each wait is shortened once the worker itself has to end. */
export const HURRIED_WAIT_MS = 2000;

const POLL_MS = 25;
const POLL_LONGEST_MS = 500;

/** Ends the processes of a job. */
export interface Ending {
  /** Shortens what is left of the ladder to {@link HURRIED_WAIT_MS} a step. */
  hurry(): void;
  /** Resolves when none of the job's processes is left; never before. */
  readonly done: Promise<void>;
}

/** What ending works with. */
export interface EndingDeps {
  readonly clock: Clock;
  readonly ladder: readonly LadderStep[];
  readonly readTable: () => readonly ProcessEntry[];
  /** Processes that carry the job's mark in their environment, wherever they are. */
  readonly findMarked: () => Promise<readonly number[]>;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  /** A step begins. */
  readonly onSignal: (signal: NodeJS.Signals) => void;
}

/**
 * Climbs the ladder over the job whose first process is `root`. Each step finds the job's processes anew, because
 * they fork while they are being ended; those seen once are remembered by pid and start time.
 */
export function endProcesses(root: ProcessRef, deps: EndingDeps): Ending {
  let hurried = false;
  let known: readonly ProcessRef[] = [root];

  const findNear = () => {
    const members = membersOf(deps.readTable(), known);
    known = [root, ...members];
    return members;
  };
  const findAll = async () => {
    const marked = new Set(await deps.findMarked());
    const table = deps.readTable();
    const found = table.filter((entry) => marked.has(entry.pid) && !entry.ended);
    known = [...known, ...found];
    return findNear();
  };
  const signalAll = (members: readonly ProcessEntry[], signal: NodeJS.Signals) => {
    for (const member of members) deps.kill(member.pid, signal);
  };
  const waitGone = async (waitMs: number): Promise<boolean> => {
    const since = deps.clock.monotonicMs();
    const waited = () => deps.clock.monotonicMs() - since;
    for (let pollMs = POLL_MS; waited() < (hurried ? Math.min(waitMs, HURRIED_WAIT_MS) : waitMs); ) {
      // The costly look around only when the near ones are gone.
      if (findNear().length === 0 && (await findAll()).length === 0) return true;
      await deps.clock.sleep(pollMs, {});
      pollMs = Math.min(pollMs * 1.5, POLL_LONGEST_MS);
    }
    return false;
  };
  const climb = async () => {
    for (const step of deps.ladder) {
      const members = await findAll();
      if (members.length === 0) return;
      deps.onSignal(step.signal);
      signalAll(members, step.signal);
      if (await waitGone(step.waitMs)) return;
    }
    for (let pollMs = POLL_MS, first = true; ; first = false, pollMs = Math.min(pollMs * 1.5, POLL_LONGEST_MS)) {
      const members = await findAll();
      if (members.length === 0) return;
      if (first) deps.onSignal("SIGKILL");
      signalAll(members, "SIGKILL");
      await deps.clock.sleep(pollMs, {});
    }
  };
  return {
    hurry: () => {
      hurried = true;
    },
    done: climb(),
  };
}
