import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WorkerEvent } from "../job/index.ts";
import { type AttemptFiles, createAttemptFiles } from "./attempt-files.ts";
import type { Store } from "./open-store.ts";
import { chooseDropped, dropOldOutput, type KeepLimits, type KeptOutput } from "./output-retention.ts";
import { active, filledStore, job, type TempFolder, tempFolder } from "./testing.ts";

const DAY = 86_400_000;
const NOW = 100 * DAY;
const none = { forMs: null, bytes: null };

describe("chooseDropped", () => {
  const kept = (job: string, bytes: number, ageDays: number | null): KeptOutput => ({
    job,
    bytes,
    endedAtMs: ageDays === null ? null : NOW - ageDays * DAY,
  });
  const all = [kept("new", 10, 1), kept("old", 20, 40), kept("running", 100, null), kept("older", 5, 50)];
  it.each<[string, KeepLimits, string]>([
    ["nothing without limits", none, ""],
    ["what is too old", { forMs: 30 * DAY, bytes: null }, "older old"],
    ["nothing as old as it may be", { forMs: 50 * DAY, bytes: null }, ""],
    ["nothing up to the size", { forMs: null, bytes: 135 }, ""],
    ["the oldest above it, as few as will do", { forMs: null, bytes: 134 }, "older"],
    ["more of them above it", { forMs: null, bytes: 129 }, "older old"],
    ["never what has not ended, which counts", { forMs: 0, bytes: 0 }, "older old new"],
    ["no more for size once age has made room", { forMs: 45 * DAY, bytes: 130 }, "older"],
  ])("takes %s", (_, limits, expected) => {
    expect(
      chooseDropped(all, limits, NOW)
        .map((one) => one.job)
        .join(" "),
    ).toBe(expected);
  });
});

describe("dropOldOutput", () => {
  let folder: TempFolder;
  let store: Store;
  let dir: string;
  let files: AttemptFiles;
  beforeEach(() => {
    folder = tempFolder();
    store = filledStore(folder.path);
    dir = join(folder.path, "jobs");
    files = createAttemptFiles({
      dir,
      jobs: store.jobs,
      nowMs: () => NOW,
      onError: (error) => expect(error).toBeNull(),
    });
  });
  afterEach(() => {
    store.close();
    folder[Symbol.dispose]();
  });

  const out = (seq: number, body: { text: string } | { base64: string }): WorkerEvent =>
    ({ seq, atMs: seq, type: "output", stream: "stdout", ...body }) as WorkerEvent;
  const result = { exitCode: 0, signal: null, stderrTail: "", truncated: false };
  const streamOf = (id: string) => join(dir, id, "1.ndjson");
  const logOf = (id: string) => store.jobs.readEvents(id, { after: 0, limit: 10_000 });
  const drop = (limits: KeepLimits, signal = new AbortController().signal) =>
    dropOldOutput({ dir, jobs: store.jobs, nowMs: () => NOW }, limits, { signal });

  /** A job with `lines` lines of output on record and on disk; ended when `endedAtMs` is given. */
  function make(id: string, lines: number, endedAtMs: number | null): void {
    store.jobs.insert(job(id, { state: active("running") }));
    store.jobs.putAttempt(id, 1, 1, 5);
    const events: WorkerEvent[] = [{ seq: 1, atMs: 1, type: "started", pid: 7 }];
    for (let seq = 2; seq < lines + 2; seq++) events.push(out(seq, { text: `zeile ü ${seq % 10}\n` }));
    if (endedAtMs !== null)
      events.push({ seq: lines + 2, atMs: 9, type: "finished", outcome: { kind: "exited", result } });
    store.jobs.appendWorkerEvents(id, 1, events);
    files.append(id, 1, events);
    if (endedAtMs === null) return;
    store.jobs.save(job(id, { state: { phase: "succeeded", attempt: 1, result }, endedAtMs }));
  }

  it("takes the output out of store and disk, leaves a gap of its length and everything else", async () => {
    make("old", 2500, NOW - 40 * DAY);
    make("new", 3, NOW - DAY);
    make("busy", 3, null);
    const rest = ["new", "busy"].map(logOf);
    expect((await drop({ forMs: 30 * DAY, bytes: null })).map((one) => one.job)).toEqual(["old"]);
    const log = logOf("old");
    expect(log.map(({ type }) => type)).toEqual(["started", "gap", "gap", "gap", "finished"]);
    const cut = log.reduce((sum, event) => sum + (event.type === "gap" ? event.bytes : 0), 0);
    expect(cut).toBe(2500 * Buffer.byteLength("zeile ü 1\n"));
    expect([log[0]?.seq, log.at(-1)?.seq]).toEqual([1, 2502]);
    expect([existsSync(streamOf("old")), existsSync(streamOf("new")), existsSync(streamOf("busy"))]).toEqual([
      false,
      true,
      true,
    ]);
    expect(["new", "busy"].map(logOf)).toEqual(rest);
    expect(store.jobs.find("old")?.state.phase).toBe("succeeded");
  });

  it("makes room from the oldest on, never from a running job", async () => {
    make("busy", 3000, null);
    make("second", 100, NOW - 2);
    make("first", 100, NOW - 3);
    expect(await drop({ forMs: null, bytes: 10 * 2 ** 20 })).toEqual([]);
    expect((await drop({ forMs: null, bytes: 1 })).map((one) => one.job)).toEqual(["first", "second"]);
    expect(logOf("busy")).toHaveLength(3001);
  });

  it("leaves alone what was made again of a stream without its output", async () => {
    make("old", 10, NOW - 40 * DAY);
    const limits = { forMs: 30 * DAY, bytes: null };
    expect(await drop(limits)).toHaveLength(1);
    // As at the daemon's next start.
    files.complete("old", 1);
    expect(existsSync(streamOf("old"))).toBe(true);
    expect(await drop(limits)).toEqual([]);
    expect(existsSync(streamOf("old"))).toBe(true);
  });

  it("counts output that is no text, and does nothing more once it is to stop", async () => {
    make("old", 0, NOW - 40 * DAY);
    store.jobs.insert(job("bytes", { state: active("running") }));
    store.jobs.putAttempt("bytes", 1, 1, 5);
    const events = [out(1, { base64: Buffer.alloc(300, 0xff).toString("base64") })];
    store.jobs.appendWorkerEvents("bytes", 1, events);
    files.append("bytes", 1, events);
    store.jobs.save(job("bytes", { state: { phase: "succeeded", attempt: 1, result }, endedAtMs: 1 }));
    const stopped = AbortSignal.abort();
    expect(await drop({ forMs: DAY, bytes: null }, stopped)).toEqual([]);
    expect(logOf("bytes")[0]?.type).toBe("output");
    expect((await drop({ forMs: DAY, bytes: null })).map((one) => one.job)).toEqual(["bytes"]);
    expect(logOf("bytes")).toMatchObject([{ type: "gap", bytes: 300 }]);
  });
});
