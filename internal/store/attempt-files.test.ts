import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WorkerEvent } from "../job/index.ts";
import { type AttemptFiles, createAttemptFiles } from "./attempt-files.ts";
import type { Store } from "./open-store.ts";
import { active, filledStore, job, lane, type TempFolder, tempFolder } from "./testing.ts";

let folder: TempFolder;
let store: Store;
let dir: string;
let nowMs: number;
let errors: string[];
let files: AttemptFiles;
beforeEach(() => {
  folder = tempFolder();
  store = filledStore(folder.path);
  dir = join(folder.path, "jobs");
  nowMs = 1000;
  errors = [];
  files = open();
  begin("j1");
});
afterEach(() => {
  store.close();
  folder[Symbol.dispose]();
});

/** As a process that was just started. */
function open(): AttemptFiles {
  return createAttemptFiles({
    dir,
    jobs: store.jobs,
    nowMs: () => nowMs,
    onError: (_, path) => errors.push(path),
  });
}

function begin(id: string, laneId = "demo"): void {
  store.jobs.insert(job(id, { state: active("running"), laneId }));
  store.jobs.putAttempt(id, 1, 1, 5);
}

const out = (seq: number, text = `line ${seq}`): WorkerEvent => ({
  text,
  stream: "stdout",
  type: "output",
  atMs: seq,
  seq,
});
const events = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => out(from + i));
const finished = (seq: number): WorkerEvent => ({
  seq,
  atMs: 3,
  type: "finished",
  outcome: { kind: "exited", result: { exitCode: 0, signal: null, stderrTail: "", truncated: false } },
});
const stream = (id = "j1") => join(dir, id, "1.ndjson");
const text = (id = "j1") => readFileSync(stream(id), "utf8");
const seqs = (id = "j1") =>
  text(id)
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as WorkerEvent).seq);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

/** What ingest does: the commit, then the file. */
function take(batch: readonly WorkerEvent[], id = "j1"): void {
  store.jobs.appendWorkerEvents(id, 1, batch);
  files.append(id, 1, batch);
}

describe("the stream of an attempt", () => {
  it("holds each event once, in order, as a line, for the owner only", () => {
    take(events(1, 3));
    take([out(4, "ü\n\u2028"), finished(5)]);
    expect(seqs()).toEqual(upTo(5));
    expect(text().split("\n")[3]).toBe('{"seq":4,"atMs":4,"type":"output","text":"ü\\n\u2028","stream":"stdout"}');
    expect([statSync(dir), statSync(join(dir, "j1")), statSync(stream())].map(({ mode }) => mode & 0o777)).toEqual([
      0o700, 0o700, 0o600,
    ]);
    expect(errors).toEqual([]);
  });

  it("is the same, byte for byte, when all of it comes from the store", () => {
    take(events(1, 250));
    take([finished(251)]);
    const before = text();
    rmSync(dir, { recursive: true });
    files = open();
    files.complete("j1", 1);
    expect(text()).toBe(before);
  });

  it("goes on behind what was written, at whatever byte a crash cut it, without gap or repeat", () => {
    take(events(1, 3));
    const whole = text();
    for (let bytes = 0; bytes <= whole.length; bytes++) {
      writeFileSync(stream(), whole.slice(0, bytes));
      open().complete("j1", 1);
      expect(text(), `cut at ${bytes}`).toBe(whole);
    }
    truncateSync(stream(), whole.length - 9);
    files = open();
    take(events(4, 5));
    take([finished(6)]);
    expect(seqs()).toEqual(upTo(6));
  });

  it("gets what was committed but never written", () => {
    take(events(1, 2));
    store.jobs.appendWorkerEvents("j1", 1, events(3, 400));
    files = open();
    take(events(401, 402));
    expect(seqs()).toEqual(upTo(402));
  });

  it("finds the end of a last line that is longer than what is read at once", () => {
    take([out(1), out(2, "x".repeat(300_000))]);
    const whole = text();
    appendFileSync(stream(), '{"seq":3,"at');
    open().complete("j1", 1);
    expect(text()).toBe(whole);
  });

  it.each([
    ["is no line of ours", () => appendFileSync(stream(), "hello\n")],
    ["is ahead of a store that was restored", () => appendFileSync(stream(), '{"seq":9}\n')],
    ["is gone", () => rmSync(join(dir, "j1"), { recursive: true })],
    ["is empty", () => truncateSync(stream(), 0)],
  ])("is made anew from the store where it %s", (_, spoil) => {
    take(events(1, 3));
    const whole = text();
    spoil();
    open().complete("j1", 1);
    expect(text()).toBe(whole);
  });

  it("never begins in the middle when it is taken away while it is written", () => {
    take(events(1, 3));
    rmSync(stream());
    take(events(4, 5));
    nowMs += 5000;
    take(events(6, 7));
    expect(seqs()).toEqual(upTo(7));
  });
});

describe("a disk that is full", () => {
  it("is told once, harms no other attempt, and what is missing is written later", () => {
    mkdirSync(join(dir, "j1"), { recursive: true });
    symlinkSync("/dev/full", stream());
    begin("j2");
    for (let seq = 1; seq <= 5; seq++) {
      expect(() => take([out(seq)])).not.toThrow();
      take([out(seq)], "j2");
      nowMs += 3000;
    }
    expect(errors).toEqual([stream()]);
    expect(seqs("j2")).toEqual(upTo(5));
    rmSync(stream());
    nowMs += 5000;
    take([out(6)], "j2");
    expect([seqs("j1"), seqs("j2")]).toEqual([upTo(5), upTo(6)]);
    take([out(6)]);
    expect(seqs("j1")).toEqual(upTo(6));
  });

  it("does not stop reports and removal from returning", () => {
    writeFileSync(dir, "a file where the folder should be");
    expect(() => {
      take(events(1, 2));
      files.writeFailure({ job: "j1", attempt: 1 });
      files.complete("j1", 1);
      files.removeLane("demo");
    }).not.toThrow();
    expect(errors).toHaveLength(1);
  });
});

describe("files of jobs", () => {
  it("are found where they are, and the report is written whole and private", () => {
    expect(files.find("j1", 0)).toEqual({ stream: null, failure: null });
    expect(files.find("j1", 1)).toEqual({ stream: null, failure: null });
    take(events(1, 1));
    const report = { job: "j1", attempt: 1, lane: "demo" };
    files.writeFailure(report);
    const failure = join(dir, "j1", "1.failure.json");
    expect(files.find("j1", 1)).toEqual({ stream: stream(), failure });
    expect(files.find("j1", 2)).toEqual({ stream: null, failure: null });
    expect(JSON.parse(readFileSync(failure, "utf8"))).toEqual(report);
    expect(statSync(failure).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(dir, "j1")).sort()).toEqual(["1.failure.json", "1.ndjson"]);
  });

  it("go with their lane, however many, and no other's", () => {
    store.lanes.insertLane(lane("other"));
    begin("keep", "other");
    take(events(1, 1), "keep");
    take(events(1, 1));
    for (let i = 0; i < 250; i++) {
      store.jobs.insert(job(`many-${i}`));
      mkdirSync(join(dir, `many-${i}`));
    }
    files.removeLane("demo");
    expect(readdirSync(dir)).toEqual(["keep"]);
    expect(existsSync(stream())).toBe(false);
  });
});
