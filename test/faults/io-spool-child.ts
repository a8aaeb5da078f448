/**
 * Runs below the shim of io-faults.c: the worker's real spool and jobs, with real processes, and a host that is only
 * an ear; one fresh volume per write point. Prints what it tried as JSON; throws at the first thing that is not as
 * promised. Arguments: how many of the kinds of faults to try.
 */
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { systemClock } from "../../internal/base/index.ts";
import type { WorkerEvent } from "../../internal/job/index.ts";
import { createJobs, createPipePool, type StartRequest } from "../../internal/worker/jobs/index.ts";
import { createLog } from "../../internal/worker/log.ts";
import { type AttemptLog, openSpool, type Spool } from "../../internal/worker/spool/index.ts";
import { DISK_FAULTS, type DiskFault, openIoFaults } from "../support/io-faults.ts";
import { outputOf, script } from "../support/lane-link.ts";
import type { Tally } from "./run-terms.ts";

const LINES = ["given", "one", "two"].map((word) => `${word} ${word.repeat(700)}\n`);
const LIMITS = { events: 64, bytes: 1 << 20 };
/** A job that takes longer will never end. */
const END_MS = 10_000;

const faults = openIoFaults();
const ledger = join(tmpdir(), "ledger");

/** One worker process on the volume. */
interface Worker {
  readonly spool: Spool;
  readonly jobs: ReturnType<typeof createJobs>;
  /** What has been handed to the link, by attempt. */
  readonly sent: Map<string, WorkerEvent[]>;
}

function startWorker(dir: string, acks: (key: string) => boolean): Worker {
  const clock = systemClock;
  const log = createLog(() => {});
  const sent = new Map<string, WorkerEvent[]>();
  const sending = new Map<string, Promise<void>>();
  const send = async (attempt: AttemptLog) => {
    const events = sent.get(attempt.key) ?? [];
    sent.set(attempt.key, events);
    for (;;) {
      const lines = await attempt.read((events.at(-1)?.seq ?? 0) + 1, LIMITS);
      if (lines.length === 0) return;
      events.push(...lines.map(({ line }) => JSON.parse(line) as WorkerEvent));
      if (acks(attempt.key)) attempt.ack(events.at(-1)?.seq ?? 0);
    }
  };
  const onSendable = (attempt: AttemptLog) => {
    sending.set(
      attempt.key,
      (sending.get(attempt.key) ?? Promise.resolve()).then(() => send(attempt)),
    );
  };
  const spool = openSpool(join(dir, "spool"), { clock, log, onSendable });
  const pipes = createPipePool(join(dir, "spool", "pipes"), log);
  const env = { home: "/tmp", apiUrl: "http://127.0.0.1:1", agentUid: 0, own: { PATH: process.env.PATH } };
  const prepareAgent = () => Promise.reject(new Error("no prompts here"));
  const jobs = createJobs({
    clock,
    log,
    identity: { kind: "same" },
    env,
    ladder: [],
    pipes,
    spool,
    generation: 1,
    prepareAgent,
  });
  return { spool, jobs, sent };
}

const request = (job: string): StartRequest => {
  const work = script(
    `echo $LANEKEEPER_JOB >> ${ledger}; cat; echo '${LINES[1]?.trim()}'; echo '${LINES[2]?.trim()}'`,
    {
      stdin: LINES[0] ?? "",
    },
  );
  return { job, attempt: 1, generation: 1, bodyHash: "ab".repeat(32), work };
};
const endOf = (events: readonly WorkerEvent[] | undefined) => events?.find((event) => event.type === "finished");

async function untilEnded(worker: Worker, key: string): Promise<void> {
  const untilMs = performance.now() + END_MS;
  while (!endOf(worker.sent.get(key))) {
    assert.ok(performance.now() < untilMs, `attempt ${key} never ended`);
    await systemClock.sleep(1, {});
  }
}

/** What was sent of one attempt is numbered 1..n, and its end tells of all that is missing. */
function assertVisible(events: readonly WorkerEvent[]): void {
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  );
  const end = events.at(-1);
  assert.ok(end?.type === "finished", "no end");
  const { outcome } = end;
  if (outcome.kind !== "exited") {
    assert.ok(outcome.kind === "failed" && outcome.error.code && outcome.error.message.length > 10, "no reason");
    return;
  }
  const output = outputOf(events, "stdout").toString();
  const whole = LINES.join("");
  const gap = events.find((event) => event.type === "gap");
  if (output === whole && !gap) return;
  assert.ok(gap?.type === "gap" && outcome.result.truncated, `a silent gap: ${output.length} of ${whole.length} bytes`);
  assert.ok(whole.startsWith(output));
  assert.equal(gap.bytes, whole.length - output.length);
}

/** The worker died and another one opens the volume: it has what was told, and starts nothing again. */
async function assertKept(dir: string, before: Worker, accepted: readonly string[]): Promise<void> {
  const worker = startWorker(dir, () => false);
  for (const job of accepted) {
    const log = worker.spool.find(job, 1);
    assert.ok(log, `${job} was accepted and is not on disk`);
    const told = before.sent.get(log.key) ?? [];
    // What the disk refused of an attempt's life went to the host all the same; output did not.
    const onDisk = readFileSync(join(log.dir, "events.ndjson"), "utf8").split("\n");
    const unwritten = told.filter((event) => event.type === "output" && !onDisk.includes(JSON.stringify(event)));
    assert.deepEqual(unwritten, [], "output was sent that is not on disk");
    log.finishInterrupted(told.at(-1)?.seq ?? 0);
    if (log.phase() !== "accepted") continue;
    await worker.jobs.start(request(job));
    await untilEnded(worker, log.key);
  }
  for (const job of ["a", "b"]) await worker.jobs.start(request(job));
  await worker.jobs.start(request("later"));
  await untilEnded(worker, "later/1");
  assertVisible(worker.sent.get("later/1") ?? []);
  await worker.jobs.stop();
}

async function workUnderFault(worker: Worker): Promise<{ readonly accepted: string[]; readonly refused: number }> {
  const accepted: string[] = [];
  let refused = 0;
  for (const job of ["a", "b"]) {
    const reply = await worker.jobs.start(request(job));
    if (reply.kind === "ok") {
      accepted.push(job);
      await untilEnded(worker, `${job}/1`);
    } else {
      refused++;
      assert.equal(reply.error.code, "spool_failed");
      assert.match(reply.error.message, /ENOSPC|EIO/);
    }
  }
  return { accepted, refused };
}

async function tryPoint(at: number, fault: DiskFault): Promise<Tally & { readonly where: string }> {
  const dir = mkdtempSync(join(tmpdir(), "volume-"));
  appendFileSync(ledger, "");
  faults.arm(dir, at, fault);
  let worker: Worker;
  try {
    worker = startWorker(dir, (key) => key === "a/1");
  } catch (caught) {
    const { failed, where } = faults.disarm();
    // Node makes an ENOENT of it where it tries the folder above.
    assert.match(String(caught), /ENOSPC|EIO|ENOENT/);
    startWorker(dir, () => false);
    rmSync(dir, { recursive: true });
    return { points: failed > 0 ? 1 : 0, acknowledged: 0, refused: 1, where };
  }
  let where = "";
  try {
    const { accepted, refused } = await workUnderFault(worker);
    const end = faults.disarm();
    where = end.where;
    for (const job of accepted) assertVisible(worker.sent.get(`${job}/1`) ?? []);
    await worker.jobs.stop();
    await assertKept(dir, worker, accepted);
    const starts = readFileSync(ledger, "utf8").trim().split("\n");
    assert.equal(new Set(starts).size, starts.length, `started twice: ${starts.join(" ")}`);
    return { points: end.failed > 0 ? 1 : 0, acknowledged: accepted.length, refused, where };
  } catch (caught) {
    where ||= faults.disarm().where;
    throw new Error(`${JSON.stringify(fault)} at call ${at}, ${where}`, { cause: caught });
  } finally {
    rmSync(dir, { recursive: true, force: true });
    rmSync(ledger);
  }
}

async function main(): Promise<void> {
  const kinds = new Set<string>();
  const sum = { points: 0, acknowledged: 0, refused: 0 };
  for (const fault of DISK_FAULTS.slice(0, Number(process.argv[2]))) {
    for (let at = 1; ; at++) {
      const { points, acknowledged, refused, where } = await tryPoint(at, fault);
      if (points === 0) break;
      sum.points += points;
      sum.acknowledged += acknowledged;
      sum.refused += refused;
      kinds.add(where.replace(/\/[0-9a-f-]{36}|\/[ab]\.1/, ""));
    }
  }
  process.stdout.write(`${JSON.stringify({ ...sum, kinds: kinds.size })}\n`);
}

// Timers of the last worker are of no use to anybody.
main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${inspect(error)}\n`);
    process.exit(1);
  },
);
