import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../internal/base/index.ts";
import { command, openBench, settle } from "../../internal/dispatch/testing/bench.ts";
import type { WorkerEvent, WorkerEventBody } from "../../internal/job/index.ts";
import { createAttemptFiles } from "../../internal/store/index.ts";
import { createLog } from "../../internal/worker/log.ts";
import { ATTEMPT_FILES, type AttemptLog, openSpool, type Spool } from "../../internal/worker/spool/index.ts";
import { say } from "./run-terms.ts";

const LIMITS = { events: 64, bytes: 1 << 20 };
const RECORD = { job: "j", attempt: 1, bodyHash: "ab".repeat(32), generation: 1, atMs: 1 };
const RESULT = { exitCode: 0, signal: null, stderrTail: "ü".repeat(9), truncated: false };
const FINISHED: WorkerEventBody = { type: "finished", outcome: { kind: "exited", result: RESULT } };
const output = (text: string): WorkerEventBody => ({ type: "output", stream: "stdout", text });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "torn-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** As a worker process that has just started. */
const open = (): Spool => openSpool(dir, { clock: systemClock, log: createLog(() => {}), onSendable: () => {} });

async function untilSendable(log: AttemptLog): Promise<void> {
  while (log.sendableSeq() < log.lastSeq()) await systemClock.sleep(1, {});
}

const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n");

describe("the last record, cut at every byte", { timeout: 60_000 }, () => {
  it.each<[string, WorkerEventBody]>([
    ["output", output(`"grüße"\n\u2028${"🙂".repeat(9)}`)],
    ["an end", FINISHED],
  ])(
    "of a worker's spool that ends with %s: all before it is there, and what is appended is whole",
    async (what, last) => {
      const log = await open().accept(RECORD);
      writeFileSync(join(log.dir, ATTEMPT_FILES.marker), "1 2\n");
      log.appendLife({ type: "started", pid: 7 });
      log.appendOutput([output("one"), output("two")]);
      if (last.type === "finished") log.appendLife(last);
      else log.appendOutput([last]);
      await untilSendable(log);
      const path = join(log.dir, ATTEMPT_FILES.events);
      const whole = readFileSync(path);
      const before = linesOf(path).slice(0, 3);
      const start = whole.lastIndexOf("\n", whole.length - 2) + 1;
      for (let size = start; size < whole.length; size++) {
        writeFileSync(path, whole);
        truncateSync(path, size);
        const recovered = open().find("j", 1);
        expect([recovered?.phase(), recovered?.lastSeq()]).toEqual(["interrupted", 3]);
        recovered?.finishInterrupted(0);
        if (recovered) await untilSendable(recovered);
        expect(linesOf(path).slice(0, 3)).toEqual(before);
        const again = open().find("j", 1);
        const read = (await again?.read(1, LIMITS)) ?? [];
        expect(read.map(({ line }) => line).slice(0, 3)).toEqual(before);
        expect(JSON.parse(read[3]?.line ?? "")).toMatchObject({ seq: 4, outcome: { error: { code: "interrupted" } } });
        expect([read.length, again?.phase()]).toEqual([4, "finished"]);
      }
      say(`spool cut at each of ${whole.length - start} bytes of ${what}: all before it is there`);
    },
  );

  it("of the record of acceptance: an attempt that nobody was told of is taken anew", async () => {
    const log = await open().accept(RECORD);
    const path = join(log.dir, ATTEMPT_FILES.accepted);
    const whole = readFileSync(path);
    for (let size = 0; size < whole.length; size++) {
      truncateSync(path, size);
      const next = open();
      expect(next.list()).toEqual([]);
      expect((await next.accept(RECORD)).phase()).toBe("accepted");
      expect(readFileSync(path).equals(whole)).toBe(true);
    }
    say(`accepted.json cut at each of ${whole.length} bytes: never believed, taken anew`);
  });

  it("of the host's stream of an attempt: the next daemon makes it whole", async () => {
    const folderOf = (folder: string) => join(folder, "jobs");
    await using bench = openBench({
      files: ({ folder, store, clock }) =>
        createAttemptFiles({ dir: folderOf(folder), jobs: store.jobs, nowMs: clock.nowMs, onError: () => {} }),
    });
    const { job } = bench.dispatcher.submit({ laneId: "demo", spec: command() });
    bench.lane.open();
    await settle();
    bench.lane.begin(job.id);
    for (const text of ["one", 'zw"ö\n🙂']) bench.lane.output(job.id, text);
    bench.lane.exit(job.id, 0);
    await settle();
    const path = join(folderOf(bench.folder), job.id, "1.ndjson");
    const whole = readFileSync(path);
    const start = whole.lastIndexOf("\n", whole.length - 2) + 1;
    expect(linesOf(path).map((line) => (JSON.parse(line) as WorkerEvent).seq)).toEqual([1, 2, 3, 4]);
    for (let size = start; size < whole.length; size++) {
      truncateSync(path, size);
      bench.restart();
      expect(readFileSync(path).equals(whole)).toBe(true);
    }
    say(`host's stream cut at each of ${whole.length - start} bytes: whole again, byte for byte`);
  });
});
