import { closeSync, fdatasync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { Clock } from "../../base/index.ts";
import type { WorkerLog } from "../log.ts";

/** Output becomes durable at least this often; a crash of the machine loses no more, and never an end. */
const GROUP_SYNC_MS = 1000;

/** Appends to one event file. Writes are synchronous: what is written is in order and seen by readers at once. */
export interface EventFile {
  /** False when it could not be written (disk full): the file is then as before, at the latest at the next append. */
  append(text: string): boolean;
  /** Makes everything appended so far durable, then calls `done`; a failing disk is logged and not waited for. */
  syncNow(done: () => void): void;
  /** Makes it durable within a second. */
  syncSoon(): void;
  /** Closes once no sync is under way. */
  close(): void;
}

/** An event file at `path`, `size` bytes long; opened at the first append. */
export function createEventFile(
  path: string,
  size: number,
  deps: { readonly clock: Clock; readonly log: WorkerLog },
): EventFile {
  let fd: number | null = null;
  let written = size;
  let syncing = false;
  let waiting: (() => void)[] = [];
  let cancelTimer: (() => void) | null = null;
  let closing = false;
  /** A line that was written in part stands at the end. */
  let torn = false;

  /** A half-written line must not be glued to the next one. */
  const cutTorn = () => {
    if (!torn || fd === null) return;
    ftruncateSync(fd, written);
    torn = false;
  };
  const settle = () => {
    if (closing && fd !== null && !syncing) {
      closeSync(fd);
      fd = null;
    }
  };
  const sync = () => {
    if (fd === null || syncing) return;
    syncing = true;
    const done = waiting;
    waiting = [];
    fdatasync(fd, (error) => {
      syncing = false;
      if (error) deps.log.error("spool not synced", { err: error });
      for (const call of done) call();
      if (waiting.length > 0) sync();
      settle();
    });
  };
  return {
    append: (text) => {
      try {
        fd ??= openSync(path, "a", 0o600);
        cutTorn();
        torn = true;
        writeAll(fd, Buffer.from(text));
        written += Buffer.byteLength(text);
        torn = false;
        return true;
      } catch (caught) {
        deps.log.error("spool not written", { err: caught });
        tryTo(cutTorn);
        return false;
      }
    },
    syncNow: (done) => {
      if (fd === null) return done();
      waiting.push(done);
      sync();
    },
    syncSoon: () => {
      if (cancelTimer !== null) return;
      cancelTimer = deps.clock.timer(GROUP_SYNC_MS, () => {
        cancelTimer = null;
        sync();
      });
    },
    close: () => {
      cancelTimer?.();
      closing = true;
      settle();
    },
  };
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function tryTo(act: () => void): void {
  try {
    act();
  } catch {
    // The next append tries again, or the recovery at the next boot.
  }
}
