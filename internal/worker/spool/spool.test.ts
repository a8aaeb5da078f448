import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../base/index.ts";
import type { WorkerEvent, WorkerEventBody } from "../../job/index.ts";
import { createLog } from "../log.ts";
import { ATTEMPT_FILES, type AttemptLog, openSpool } from "./index.ts";
import { chooseExpired, RETENTION_COUNT, RETENTION_MS } from "./retention.ts";

const HASH = "ab".repeat(32);
const FINISHED: WorkerEventBody = {
  type: "finished",
  outcome: { kind: "exited", result: { exitCode: 0, signal: null, stderrTail: "", truncated: false } },
};
const output = (text: string): WorkerEventBody => ({ type: "output", stream: "stdout", text });
const LIMITS = { events: 64, bytes: 1 << 20 };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lane-spool-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Opens the spool as a new worker process does. */
function open(clock = systemClock) {
  const log = createLog(() => {});
  return openSpool(dir, { clock, log, onSendable: () => {} });
}
const accept = (spool: ReturnType<typeof open>, job = "j1") =>
  spool.accept({ job, attempt: 1, bodyHash: HASH, generation: 1, atMs: 1 });
const mark = (log: AttemptLog) => writeFileSync(join(log.dir, ATTEMPT_FILES.marker), "1 2\n");
async function readAll(log: AttemptLog): Promise<WorkerEvent[]> {
  const events: WorkerEvent[] = [];
  for (let from = 1; from <= log.lastSeq(); ) {
    const lines = await log.read(from, LIMITS);
    if (lines.length === 0) break;
    events.push(...lines.map(({ line }) => JSON.parse(line) as WorkerEvent));
    from = (events.at(-1)?.seq ?? from) + 1;
  }
  return events;
}
const sendable = async (log: AttemptLog) => {
  while (log.sendableSeq() < log.lastSeq()) await systemClock.sleep(1, {});
};

describe("the spool", () => {
  it("keeps its id and its attempts over restarts of the worker", async () => {
    const first = open();
    await accept(first);
    const second = open();
    expect(second.id).toBe(first.id);
    expect(second.find("j1", 1)?.report()).toEqual({
      job: "j1",
      attempt: 1,
      bodyHash: HASH,
      state: "accepted",
      lastSeq: 0,
    });
  });

  it("tells what can be started from what must not be started again", async () => {
    const spool = open();
    const fresh = await accept(spool, "fresh");
    const started = await accept(spool, "started");
    const ended = await accept(spool, "ended");
    for (const log of [started, ended]) {
      mark(log);
      log.appendLife({ type: "started", pid: 7 });
    }
    ended.appendLife(FINISHED);
    await sendable(ended);
    const phases = Object.fromEntries(
      open()
        .list()
        .map((log) => [log.record.job, log.phase()]),
    );
    expect(phases).toEqual({ fresh: "accepted", started: "interrupted", ended: "finished" });
    expect(fresh.phase()).toBe("accepted");
  });

  it("ends an interrupted attempt once, numbered after what the host has", async () => {
    const log = await accept(open());
    mark(log);
    log.appendLife({ type: "started", pid: 7 });
    log.appendOutput([output("a")]);
    const recovered = open().find("j1", 1);
    expect(recovered?.report()).toMatchObject({ state: "finished", lastSeq: 3 });
    // The host has more than reached the disk before the machine went down.
    recovered?.finishInterrupted(9);
    recovered?.finishInterrupted(9);
    expect(recovered?.lastSeq()).toBe(10);
    const again = open().find("j1", 1);
    expect(again).toMatchObject({ key: "j1/1" });
    expect(again?.phase()).toBe("finished");
    const events = readFileSync(join(log.dir, ATTEMPT_FILES.events), "utf8").trimEnd().split("\n");
    expect(events.map((line) => (JSON.parse(line) as WorkerEvent).seq)).toEqual([1, 2, 10]);
    expect(await again?.read(10, LIMITS)).toMatchObject([{ seq: 10 }]);
  });

  it("recovers from a last record torn at every byte", async () => {
    const log = await accept(open());
    mark(log);
    log.appendLife({ type: "started", pid: 7 });
    log.appendOutput([output("grüße"), output("zweite")]);
    const path = join(log.dir, ATTEMPT_FILES.events);
    const whole = readFileSync(path);
    const lastLine = whole.lastIndexOf("\n", whole.length - 2) + 1;
    for (let size = whole.length; size >= lastLine; size--) {
      writeFileSync(path, whole);
      truncateSync(path, size);
      const recovered = open().find("j1", 1);
      const kept = size === whole.length ? 3 : 2;
      expect(recovered?.lastSeq()).toBe(kept);
      recovered?.finishInterrupted(0);
      if (recovered !== undefined) await sendable(recovered);
      const events = recovered === undefined ? [] : await readAll(recovered);
      expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: kept + 1 }, (_, i) => i + 1));
      // What was repaired is whole again for the next process.
      expect(open().find("j1", 1)?.phase()).toBe("finished");
    }
  });

  it("cuts off lines whose blocks never reached the disk", async () => {
    const log = await accept(open());
    log.appendOutput([output("a"), output("b")]);
    const path = join(log.dir, ATTEMPT_FILES.events);
    for (const rubbish of [Buffer.alloc(2_000_000), Buffer.from("\0\0\0\n\0\0\n"), Buffer.from('{"seq":3,"ty\n')]) {
      appendFileSync(path, rubbish);
      expect(open().find("j1", 1)?.lastSeq()).toBe(2);
    }
  });

  /** Spoils the third line of an event file. */
  const spoil = (log: AttemptLog, change: (line: string) => string) => {
    const path = join(log.dir, ATTEMPT_FILES.events);
    const lines = readFileSync(path, "utf8").split("\n");
    lines[2] = change(lines[2] ?? "");
    writeFileSync(path, lines.join("\n"));
  };

  it.each<[string, (line: string) => string]>([
    ["a hole", (line) => "\0".repeat(line.length)],
    ["another number", (line) => line.replace('"seq":3', '"seq":7')],
    ["an earlier number", (line) => line.replace('"seq":3', '"seq":1')],
    ["no JSON any more", (line) => line.replace('"text":"', '"text:"')],
    ["no event any more", (line) => line.replace('"output"', '"outpvt"')],
    ["a line end", (line) => line.replace("stdout", "std\nout")],
    ["nothing", () => ""],
  ])("ends an attempt as damaged where its middle is %s, whatever follows", async (_name, change) => {
    const log = await accept(open());
    mark(log);
    log.appendLife({ type: "started", pid: 7 });
    log.appendOutput([output("a"), output("b"), output("c")]);
    log.appendLife(FINISHED);
    await sendable(log);
    spoil(log, change);
    const recovered = open().find("j1", 1);
    expect(recovered?.phase()).toBe("finished");
    const events = recovered === undefined ? [] : await readAll(recovered);
    expect(events.map(({ seq, type }) => [seq, type])).toEqual([
      [1, "started"],
      [2, "output"],
      [3, "finished"],
    ]);
    const end = events.at(-1);
    const error = end?.type === "finished" && end.outcome.kind === "failed" ? end.outcome.error : null;
    expect(error).toMatchObject({ code: "spool_corrupt" });
    expect(error?.message).toContain(join(log.dir, ATTEMPT_FILES.events));
    expect(error?.message).toMatch(/event 3 .* Next: /);
    // It ends with that for the host, and for every later worker.
    recovered?.ack(3);
    expect([recovered?.phase(), open().find("j1", 1)?.report()]).toMatchObject([
      "settled",
      { state: "finished", lastSeq: 3 },
    ]);
  });

  it("has an attempt ended that still runs, and says so only when it has", async () => {
    const damaged: string[] = [];
    const log = createLog(() => {});
    const onDamaged = (attempt: AttemptLog) => damaged.push(attempt.key);
    const spool = openSpool(dir, { clock: systemClock, log, onSendable: () => {}, onDamaged });
    const attempt = await accept(spool);
    mark(attempt);
    attempt.appendLife({ type: "started", pid: 7 });
    attempt.appendOutput([output("a"), output("b"), output("c")]);
    // More than is kept in memory: what is behind comes from the file.
    for (let i = 0; i < 40; i++) attempt.appendOutput([output("x".repeat(30_000))]);
    spoil(attempt, () => "?");
    expect((await readAll(attempt)).map(({ seq }) => seq)).toEqual([1, 2]);
    expect([damaged, attempt.phase(), attempt.sendableSeq()]).toEqual([["j1/1"], "running", 2]);
    attempt.appendOutput([output("d")]);
    expect(attempt.sendableSeq()).toBe(2);
    attempt.appendLife(FINISHED);
    await sendable(attempt);
    const events = await readAll(attempt);
    expect(events.at(-1)).toMatchObject({ seq: 3, outcome: { kind: "failed", error: { code: "spool_corrupt" } } });
    expect(damaged).toEqual(["j1/1"]);
  });

  it("never takes an attempt again whose record is damaged after it was begun", async () => {
    const log = await accept(open());
    mark(log);
    writeFileSync(join(log.dir, ATTEMPT_FILES.accepted), "?");
    const next = open();
    expect(next.list()).toEqual([]);
    await expect(accept(next)).rejects.toThrow(/accepted\.json is damaged: it may have been started before/);
    expect(existsSync(join(log.dir, ATTEMPT_FILES.marker))).toBe(true);
  });

  it("keeps an attempt that it cannot remove, and goes on", async () => {
    let nowMs = 1000;
    const spool = open({ ...systemClock, nowMs: () => nowMs });
    const done = await accept(spool);
    done.appendLife(FINISHED);
    await sendable(done);
    done.ack(1);
    nowMs += RETENTION_MS + 1;
    // Gone behind its back: the disk refuses the rename.
    rmSync(done.dir, { recursive: true });
    expect(await spool.prune()).toBe(0);
    expect(spool.find("j1", 1)).toBe(done);
  });

  it("removes an attempt whose record is torn: nobody was told that it was accepted", async () => {
    const log = await accept(open());
    for (const torn of ["", '{"job":"j1","att', "{}"]) {
      writeFileSync(join(log.dir, ATTEMPT_FILES.accepted), torn);
      expect(open().list()).toEqual([]);
      expect(existsSync(log.dir)).toBe(false);
      await accept(open());
    }
  });

  it("holds an end back until it is on disk, and settles when the host has it", async () => {
    const spool = open();
    const log = await accept(spool);
    log.appendLife({ type: "started", pid: 7 });
    log.appendLife(FINISHED);
    expect(log.sendableSeq()).toBe(1);
    await sendable(log);
    log.ack(1);
    expect(log.settledAtMs()).toBeNull();
    log.ack(99);
    expect(log.phase()).toBe("settled");
    const again = open().find("j1", 1);
    expect(again).toMatchObject({ key: "j1/1" });
    expect(again?.phase()).toBe("settled");
    expect(again?.report()).toMatchObject({ state: "finished", lastSeq: 2 });
    writeFileSync(join(log.dir, ATTEMPT_FILES.acked), "");
    expect(open().find("j1", 1)?.phase()).toBe("finished");
  });

  it("reads from the file what memory does not hold any more", async () => {
    const log = await accept(open());
    const text = "x".repeat(30_000);
    const count = 300;
    for (let i = 0; i < count; i++) log.appendOutput([output(`${i} ${text}`)]);
    const events = await readAll(log);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect(events.at(123)).toMatchObject({ seq: 124, text: `123 ${text}` });
    // From memory it is there at once.
    expect(Array.isArray(log.read(count, LIMITS))).toBe(true);
    const found = log.read(5, LIMITS);
    expect(found).toBeInstanceOf(Promise);
    expect(await found).toMatchObject([{ seq: 5 }, ...Array.from({ length: 33 }, (_, i) => ({ seq: 6 + i }))]);
  });

  it("refuses output that the disk refuses, and stays whole", async () => {
    const log = await accept(open());
    log.appendOutput([output("kept")]);
    rmSync(log.dir, { recursive: true });
    const other = openSpool(dir, { clock: systemClock, log: createLog(() => {}), onSendable: () => {} });
    const lost = await accept(other);
    rmSync(lost.dir, { recursive: true });
    expect(lost.appendOutput([output("lost")])).toBe(false);
    expect(lost.lastSeq()).toBe(0);
    // An end is never lost for the host, even when the disk is.
    lost.appendLife(FINISHED);
    await sendable(lost);
    expect(await lost.read(1, LIMITS)).toMatchObject([{ seq: 1 }]);
  });

  it("forgets settled attempts after a day, and what it was removing when it died", async () => {
    let nowMs = 1000;
    const clock = { ...systemClock, nowMs: () => nowMs };
    const spool = open(clock);
    const done = await accept(spool, "done");
    await accept(spool, "waiting");
    done.appendLife(FINISHED);
    await sendable(done);
    done.ack(1);
    nowMs += RETENTION_MS;
    expect(await spool.prune()).toBe(0);
    nowMs += 1;
    expect(await spool.prune()).toBe(1);
    expect(spool.list().map((log) => log.record.job)).toEqual(["waiting"]);
    writeFileSync(join(dir, ".gone-1"), "");
    open();
    expect(readdirSync(dir).sort()).toEqual(["spool-id", "waiting.1"]);
  });

  it("keeps at most a thousand, and a gigabyte", () => {
    const many = Array.from({ length: RETENTION_COUNT + 2 }, (_, i) => ({ atMs: i, bytes: 1 }));
    expect(chooseExpired(many, 2000).map(({ atMs }) => atMs)).toEqual([1, 0]);
    const big = [0, 1, 2].map((atMs) => ({ atMs, bytes: 400 * 1024 * 1024 }));
    expect(chooseExpired(big, 2000).map(({ atMs }) => atMs)).toEqual([0]);
  });
});
