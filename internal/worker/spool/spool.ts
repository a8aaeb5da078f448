import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/index.ts";
import type { WorkerLog } from "../log.ts";
import {
  type AcceptedRecord,
  ATTEMPT_FILES,
  parseAccepted,
  parseAttemptDir,
  parseSettled,
  toAttemptDir,
  writeAccepted,
} from "./attempt-files.ts";
import { type AttemptLog, type AttemptLogInit, createAttemptLog } from "./attempt-log.ts";
import { recoverEvents } from "./recover-events.ts";
import { chooseExpired } from "./retention.ts";
import { readSpoolId } from "./spool-id.ts";

/** Every attempt this lane's volume knows of. One process uses it at a time. */
export interface Spool {
  /** Random, written once per volume: another id means that the old record is gone. */
  readonly id: string;
  find(job: string, attempt: number): AttemptLog | undefined;
  /** In the order of acceptance. */
  list(): readonly AttemptLog[];
  /**
   * Records a new attempt, durable when it resolves. Rejects when the disk refuses; nothing is recorded then. Rejects
   * also for one that is there with a record that cannot be read.
   */
  accept(record: AcceptedRecord): Promise<AttemptLog>;
  /** Removes attempts the host has had long enough. Resolves with their number; what a disk refuses is logged. */
  prune(): Promise<number>;
}

/** What a spool works with. */
export interface SpoolDeps {
  readonly clock: Clock;
  readonly log: WorkerLog;
  /** More of an attempt may be sent. */
  readonly onSendable: (attempt: AttemptLog) => void;
  /** The file of an attempt is damaged: should it run, it has to be ended. */
  readonly onDamaged?: ((attempt: AttemptLog) => void) | undefined;
}

/** Opens the spool in `dir`, making it when absent, and repairs what a crash left. */
export function openSpool(dir: string, deps: SpoolDeps): Spool {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const id = readSpoolId(dir);
  const attempts = new Map<string, AttemptLog>();
  const on = { onSendable: deps.onSendable, onDamaged: deps.onDamaged ?? (() => {}) };
  for (const init of loadAttempts(dir, deps.log)) {
    const log = createAttemptLog({ ...init, ...on }, deps);
    attempts.set(log.key, log);
  }
  return {
    id,
    find: (job, attempt) => attempts.get(`${job}/${attempt}`),
    list: () => [...attempts.values()],
    accept: async (record) => {
      const path = join(dir, toAttemptDir(record.job, record.attempt));
      if (existsSync(path)) throw damagedRecord(path);
      mkdirSync(path, { mode: 0o700 });
      try {
        await writeAccepted(dir, path, record);
      } catch (caught) {
        rmSync(path, { recursive: true, force: true });
        throw caught;
      }
      const init = { record, dir: path, phase: "accepted", lastSeq: 0, size: 0, settledAtMs: null } as const;
      const log = createAttemptLog({ ...init, ...on }, deps);
      attempts.set(log.key, log);
      return log;
    },
    prune: async () => {
      const expired = chooseExpired(listSettled(attempts.values()), deps.clock.nowMs());
      let removed = 0;
      for (const { log } of expired) {
        // Renamed first: a folder that is half removed must not be taken for an attempt at the next boot.
        const gone = join(dir, `${GONE}${randomUUID()}`);
        try {
          await rename(log.dir, gone);
          attempts.delete(log.key);
          await rm(gone, { recursive: true, force: true });
          removed++;
        } catch (caught) {
          deps.log.warn("attempt not removed", { attempt: log.key, err: caught });
        }
      }
      return removed;
    },
  };
}

const GONE = ".gone-";

function damagedRecord(path: string): Error {
  return new Error(
    `${join(path, ATTEMPT_FILES.accepted)} is damaged: it may have been started before; try the job again`,
  );
}

function listSettled(logs: Iterable<AttemptLog>) {
  return [...logs].flatMap((log) => {
    const atMs = log.settledAtMs();
    return atMs === null ? [] : [{ log, atMs, bytes: sizeOf(log.dir) }];
  });
}

type LoadedAttempt = Omit<AttemptLogInit, "onSendable" | "onDamaged">;

function loadAttempts(dir: string, log: WorkerLog): readonly LoadedAttempt[] {
  const loaded: LoadedAttempt[] = [];
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (name.startsWith(GONE)) rmSync(path, { recursive: true, force: true });
    const attempt = parseAttemptDir(name) === null ? null : loadAttempt(path, log);
    if (attempt !== null) loaded.push(attempt);
  }
  return loaded.sort((a, b) => a.record.atMs - b.record.atMs || (a.dir < b.dir ? -1 : 1));
}

function loadAttempt(dir: string, log: WorkerLog): LoadedAttempt | null {
  const record = parseAccepted(readIfThere(join(dir, ATTEMPT_FILES.accepted)));
  if (record === null && wasBegun(dir)) {
    // Kept, so that it can never be started again: `accept` refuses it.
    log.error("attempt's record is damaged", { dir });
    return null;
  }
  if (record === null) {
    // Torn before it was answered: the host was never told "accepted", and nothing was started.
    log.warn("half-made attempt removed", { dir });
    rmSync(dir, { recursive: true, force: true });
    return null;
  }
  const settled = parseSettled(readIfThere(join(dir, ATTEMPT_FILES.acked)));
  if (settled !== null) {
    return { record, dir, phase: "settled", lastSeq: settled.lastSeq, size: 0, settledAtMs: settled.atMs };
  }
  const events = recoverEvents(join(dir, ATTEMPT_FILES.events));
  const started = existsSync(join(dir, ATTEMPT_FILES.marker));
  const phase = events.finished ? "finished" : started ? "interrupted" : "accepted";
  return { record, dir, phase, lastSeq: events.lastSeq, size: events.size, settledAtMs: null };
}

/** Is there more than a record torn while it was made: a start, or events? */
function wasBegun(dir: string): boolean {
  return existsSync(join(dir, ATTEMPT_FILES.marker)) || sizeOf(dir) > 0;
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function sizeOf(dir: string): number {
  return statSync(join(dir, ATTEMPT_FILES.events), { throwIfNoEntry: false })?.size ?? 0;
}
