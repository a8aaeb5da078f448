import { existsSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../base/index.ts";
import type { WorkerEvent } from "../job/index.ts";
import { appendText, createText, cutTail } from "./event-file.ts";
import type { Jobs } from "./jobs.ts";

/** What cannot be written is tried again after this long: a full disk stays full for a while. */
const RETRY_MS = 5000;
/** Events read from the store at once, and in one go: the rest of a long file comes with the next call. */
const PAGE = 100;
const PAGES_AT_ONCE = 100;
/** Attempts whose last number is remembered, and that are behind: more are found out from their files. */
const KNOWN_MAX = 256;
const BEHIND_MAX = 1000;
/** Jobs listed at once. */
const JOBS_PAGE = 200;

/** Paths of an attempt's files, null for what is not there. */
export interface AttemptPaths {
  readonly stream: string | null;
  readonly failure: string | null;
}

/**
 * For people and their tools, the files `<dir>/<job>/<attempt>.ndjson` and `.failure.json`. The store is the truth: a
 * file that is missing, torn or behind is mended from it. No call throws; the first failure of a series is told.
 */
export interface AttemptFiles {
  /** Appends events that have been committed: one write. */
  append(job: string, attempt: number, events: readonly WorkerEvent[]): void;
  /** Brings the stream's file in line with the store, as after a crash. */
  complete(job: string, attempt: number): void;
  /** Writes why an attempt failed, whole or not at all. */
  writeFailure(report: { readonly job: string; readonly attempt: number }): void;
  find(job: string, attempt: number): AttemptPaths;
  /** Removes the files of all jobs of a lane. */
  removeLane(laneId: string): void;
}

/** What {@link createAttemptFiles} needs. */
export interface AttemptFilesDeps {
  readonly dir: string;
  readonly jobs: Pick<Jobs, "findAttempt" | "readAttemptEvents" | "list">;
  readonly nowMs: () => number;
  readonly onError: (error: unknown, path: string) => void;
}

interface Target {
  readonly job: string;
  readonly attempt: number;
}

/** See {@link AttemptFiles}. */
export function createAttemptFiles(deps: AttemptFilesDeps): AttemptFiles {
  /** Number of the last event in the file, of attempts that go on. */
  const written = new Map<string, number>();
  const behind = new Map<string, Target & { readonly notBeforeMs: number }>();
  let failing = false;
  const pathOf = ({ job, attempt }: Target, kind: string) => join(deps.dir, job, `${attempt}.${kind}`);
  const makeFolder = (job: string) => mkdirSync(join(deps.dir, job), { recursive: true, mode: 0o700 });

  const guard = (path: string, act: () => void): boolean => {
    try {
      act();
      return true;
    } catch (caught) {
      if (!failing) deps.onError(caught, path);
      failing = true;
      return false;
    }
  };

  /** `write` says whether all of it is there now. What is not is tried again. */
  const tryWrite = (at: Target, write: () => boolean) => {
    const key = keyOf(at);
    let notBeforeMs = deps.nowMs();
    behind.delete(key);
    let whole = false;
    const done = guard(pathOf(at, "ndjson"), () => {
      whole = write();
    });
    if (!done) {
      written.delete(key);
      notBeforeMs += RETRY_MS;
    }
    if (!whole) put(behind, key, { ...at, notBeforeMs }, BEHIND_MAX);
    if (behind.size === 0) failing = false;
  };

  const remember = (at: Target, end: WorkerEvent) => {
    if (end.type === "finished") written.delete(keyOf(at));
    else put(written, keyOf(at), end.seq, KNOWN_MAX);
  };

  const complete = (at: Target): boolean => {
    const goal = deps.jobs.findAttempt(at.job, at.attempt)?.lastSeq ?? 0;
    if (goal === 0) return true;
    const path = pathOf(at, "ndjson");
    makeFolder(at.job);
    let last = cutTail(path);
    if (last > goal) {
      // The store was restored from a backup.
      truncateSync(path, 0);
      last = 0;
    }
    for (let page = 0; last < goal && page < PAGES_AT_ONCE; page++) {
      const events = deps.jobs.readAttemptEvents(at.job, at.attempt, { after: last, limit: PAGE });
      const end = events.at(-1);
      if (!end) return true;
      appendText(path, toLines(events));
      last = end.seq;
      if (last >= goal) remember(at, end);
    }
    return last >= goal;
  };

  const append = (at: Target, events: readonly WorkerEvent[]): boolean => {
    const first = events[0];
    const end = events.at(-1);
    if (!first || !end) return true;
    const path = pathOf(at, "ndjson");
    const known = written.get(keyOf(at));
    if (known === first.seq - 1) appendText(path, toLines(events));
    else if (first.seq !== 1 || !createdWith(at, events)) return complete(at);
    remember(at, end);
    return true;
  };

  /** False when it is there already, as after a crash. */
  const createdWith = (at: Target, events: readonly WorkerEvent[]): boolean => {
    makeFolder(at.job);
    try {
      createText(pathOf(at, "ndjson"), toLines(events));
      return true;
    } catch (caught) {
      if (errnoOf(caught) === "EEXIST") return false;
      throw caught;
    }
  };

  const forget = (job: string) => {
    for (const map of [written, behind]) {
      for (const key of map.keys()) if (key.startsWith(`${job}/`)) map.delete(key);
    }
  };

  /** One at a time: this is called with each batch of events. */
  const catchUp = () => {
    const nowMs = deps.nowMs();
    for (const at of behind.values()) {
      if (at.notBeforeMs > nowMs) continue;
      tryWrite({ job: at.job, attempt: at.attempt }, () => complete(at));
      return;
    }
  };

  return {
    append: (job, attempt, events) => {
      const at = { job, attempt };
      if (!behind.has(keyOf(at))) tryWrite(at, () => append(at, events));
      if (behind.size > 0) catchUp();
    },
    complete: (job, attempt) => tryWrite({ job, attempt }, () => complete({ job, attempt })),
    writeFailure: (report) => {
      const path = pathOf(report, "failure.json");
      guard(path, () => {
        makeFolder(report.job);
        writeFileSync(`${path}.new`, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      });
    },
    find: (job, attempt) => {
      const there = (kind: string) => {
        const path = pathOf({ job, attempt }, kind);
        return existsSync(path) ? path : null;
      };
      return attempt === 0
        ? { stream: null, failure: null }
        : { stream: there("ndjson"), failure: there("failure.json") };
    },
    removeLane: (laneId) => {
      guard(deps.dir, () => {
        for (const id of idsOf(deps.jobs, laneId)) {
          rmSync(join(deps.dir, id), { recursive: true, force: true });
          forget(id);
        }
      });
    },
  };
}

/** Ids of all jobs of a lane. */
function* idsOf(jobs: Pick<Jobs, "list">, laneId: string): Generator<string, void, undefined> {
  for (let before: string | undefined; ; ) {
    const page = jobs.list({ laneId, before, limit: JOBS_PAGE });
    for (const { id } of page) yield id;
    if (page.length < JOBS_PAGE) return;
    before = page.at(-1)?.id;
  }
}

function keyOf({ job, attempt }: Target): string {
  return `${job}/${attempt}`;
}

/** Puts the entry last, and lets go of the first when there are too many. */
function put<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= max) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

/** One line each; number and time stand first, so that a line from the store is the same as one from the link. */
function toLines(events: readonly WorkerEvent[]): string {
  let text = "";
  for (const { seq, atMs, type, ...body } of events) text += `${JSON.stringify({ seq, atMs, type, ...body })}\n`;
  return text;
}
