import { closeSync, fsync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What the worker notes of an attempt before it says "accepted". The work itself is not kept: it may hold secrets. */
export interface AcceptedRecord {
  readonly job: string;
  readonly attempt: number;
  readonly bodyHash: string;
  /** Generation under which it was accepted first. */
  readonly generation: number;
  readonly atMs: number;
}

/** What is noted once the host has all of an attempt. */
export interface SettledRecord {
  readonly lastSeq: number;
  readonly atMs: number;
}

/** Files of one attempt's folder. */
export const ATTEMPT_FILES = {
  accepted: "accepted.json",
  /** Made exclusively by the launcher just before it executes the work: there means started, for ever. */
  marker: "marker",
  events: "events.ndjson",
  /** The host has everything: a {@link SettledRecord}. */
  acked: "acked",
} as const;

/** The folder's name, `<job>.<attempt>`; ids of jobs hold no dot. */
export function toAttemptDir(job: string, attempt: number): string {
  return `${job}.${attempt}`;
}

/** The inverse of {@link toAttemptDir}, or null for a name that is none of ours. */
export function parseAttemptDir(name: string): { readonly job: string; readonly attempt: number } | null {
  const match = /^([A-Za-z0-9_-]{1,64})\.([1-9]\d{0,8})$/.exec(name);
  return match?.[1] === undefined ? null : { job: match[1], attempt: Number(match[2]) };
}

/** The content of `accepted.json`, or null when it is torn or not ours. */
export function parseAccepted(text: string): AcceptedRecord | null {
  try {
    const raw = JSON.parse(text) as AcceptedRecord;
    const whole =
      typeof raw.job === "string" &&
      Number.isInteger(raw.attempt) &&
      /^[0-9a-f]{64}$/.test(raw.bodyHash) &&
      Number.isInteger(raw.generation) &&
      Number.isFinite(raw.atMs);
    return whole ? raw : null;
  } catch {
    return null;
  }
}

/** The content of `acked`, or null when a crash of the machine left it torn: then the end is offered again. */
export function parseSettled(text: string): SettledRecord | null {
  try {
    const raw = JSON.parse(text) as SettledRecord;
    return Number.isInteger(raw.lastSeq) && Number.isFinite(raw.atMs) ? raw : null;
  } catch {
    return null;
  }
}

/**
 * Writes the record and an empty event file into the attempt's new folder, durable when it resolves: only then may the
 * worker answer "accepted".
 */
export async function writeAccepted(spoolDir: string, dir: string, record: AcceptedRecord): Promise<void> {
  const accepted = openSync(join(dir, ATTEMPT_FILES.accepted), "wx", 0o600);
  try {
    // All of it, or an error: a disk that has just become full takes a part.
    writeFileSync(accepted, JSON.stringify(record));
    closeSync(openSync(join(dir, ATTEMPT_FILES.events), "wx", 0o600));
    // Together: the file system commits them in one go.
    await Promise.all([syncFd(accepted), syncPath(dir), syncPath(spoolDir)]);
  } finally {
    closeSync(accepted);
  }
}

/** Makes a file or folder durable. */
export async function syncPath(path: string): Promise<void> {
  const fd = openSync(path, "r");
  try {
    await syncFd(fd);
  } finally {
    closeSync(fd);
  }
}

function syncFd(fd: number): Promise<void> {
  return new Promise((resolve, reject) => fsync(fd, (error) => (error ? reject(error) : resolve())));
}
