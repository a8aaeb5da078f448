/**
 * Runs below the shim of io-faults.c: real store, real dispatcher, real attempt files, a scripted lane; one fresh
 * installation per write point. Prints what it tried as JSON; throws at the first thing that is not as promised.
 * Arguments: how many of the kinds of faults to try, and at which write points: each, or each second, third...
 */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { AppError } from "../../internal/base/index.ts";
import { type Bench, command, isNumbered, openBench, phasesOf, settle } from "../../internal/dispatch/testing/bench.ts";
import { createAttemptFiles, openStore, type Store } from "../../internal/store/index.ts";
import { DISK_FAULTS, type DiskFault, openIoFaults } from "../support/io-faults.ts";
import type { Tally } from "./run-terms.ts";

const JOBS = 3;
/** Longer than a page. */
const TEXT = "x".repeat(5000);
/** Longer than any retry of dispatcher and files. */
const LATER_MS = 10_000;

const faults = openIoFaults();
const prefix = join(tmpdir(), "lanekeeper-dispatch-");

/** How often the daemon is started while the disk fails: the second time is behind all the work of the first. */
type Lives = "one" | "two";

/** What the outside was told. */
interface Told {
  /** Jobs whose submission was answered, in order. */
  readonly jobs: string[];
  /** By attempt: its events up to the acknowledged one, as the lane has them. */
  readonly events: Map<string, { readonly job: string; readonly attempt: number; readonly texts: readonly string[] }>;
  refused: number;
}

const open = (): Bench =>
  openBench({
    files: (bench) =>
      createAttemptFiles({
        dir: join(bench.folder, "jobs"),
        jobs: bench.store.jobs,
        nowMs: bench.clock.nowMs,
        onError: () => {},
      }),
  });

/** Links the lane when it is not, and runs what has been sent to it. */
async function drive(bench: Bench): Promise<void> {
  const { lane } = bench;
  try {
    if (!lane.link()) lane.open();
  } catch (caught) {
    assertClear(bench, caught);
    lane.cut();
  }
  await settle();
  for (const one of lane.spool().values()) {
    if (one.phase !== "accepted" || !one.told || !lane.link()) continue;
    lane.begin(one.job);
    lane.output(one.job, `${one.job} ${TEXT}`);
    await settle();
    lane.exit(one.job, 0);
    await settle();
  }
  bench.clock.advance(LATER_MS);
  await settle();
}

/** A refusal says what, where, and what to do about it. */
function assertClear(bench: Bench, caught: unknown): void {
  assert.ok(caught instanceof AppError, `not an error for people: ${String(caught)}`);
  assert.ok(caught.code === "store.full" || caught.code === "store.failed", `${caught.code}: ${caught.message}`);
  assert.ok(caught.message.includes(join(bench.folder, "store.db")) && caught.hint, caught.message);
}

function submit(bench: Bench, told: Told, key: string | null): void {
  try {
    const { job, created } = bench.dispatcher.submit({ laneId: "demo", spec: command({ key }) });
    assert.ok(created || key !== null);
    if (!told.jobs.includes(job.id)) told.jobs.push(job.id);
  } catch (caught) {
    assertClear(bench, caught);
    told.refused++;
  }
}

/** The daemon ends, which writes what is in the log to the database, and starts again if it can. */
function restart(bench: Bench): void {
  try {
    bench.restart();
  } catch (caught) {
    assertClear(bench, caught);
  }
}

async function workUnderFault(bench: Bench, told: Told, lives: Lives): Promise<void> {
  for (let n = 0; n < JOBS; n++) {
    submit(bench, told, n === 0 ? "key" : null);
    await drive(bench);
  }
  // Whatever became of the first try.
  submit(bench, told, "key");
  await drive(bench);
  if (lives === "two") {
    restart(bench);
    await drive(bench);
  }
  for (const one of bench.lane.spool().values()) {
    if (one.acked === 0) continue;
    const texts = one.events.slice(0, one.acked).map((event) => JSON.stringify(event));
    told.events.set(`${one.job}/${one.attempt}`, { job: one.job, attempt: one.attempt, texts });
  }
}

/** All that was told is on record, whole and in order. */
function assertKept(store: Store, told: Told): void {
  const raw = new Database(store.path, { readonly: true });
  assert.deepEqual(raw.pragma("integrity_check"), [{ integrity_check: "ok" }]);
  raw.close();
  const known = store.jobs
    .list({ limit: 1000 })
    .map((job) => job.id)
    .reverse();
  assert.deepEqual(
    known.filter((id) => told.jobs.includes(id)),
    told.jobs,
  );
  for (const { job, attempt, texts } of told.events.values()) {
    const stored = store.jobs.readAttemptEvents(job, attempt, { after: 0, limit: 1000 });
    assert.deepEqual(
      stored.slice(0, texts.length).map((event) => ({ ...event })),
      texts.map((text) => JSON.parse(text)),
    );
  }
}

/** The process dies here: another one finds the files as they are. */
function assertKeptByTheDead(bench: Bench, told: Told): void {
  const folder = mkdtempSync(join(tmpdir(), "after-death-"));
  const path = join(folder, "store.db");
  for (const suffix of ["", "-wal"]) {
    if (existsSync(bench.store.path + suffix)) copyFileSync(bench.store.path + suffix, path + suffix);
  }
  using store = openStore({ path, nowMs: Date.now });
  assertKept(store, told);
  store.close();
  rmSync(folder, { recursive: true });
}

/** The disk is well again: all that was taken ends well, the next process finds it so, and the files are whole. */
async function assertGoesOn(bench: Bench, told: Told, lives: Lives): Promise<void> {
  // It may be down.
  if (lives === "two") bench.restart();
  const ended = () => told.jobs.every((id) => bench.store.jobs.find(id)?.state.phase === "succeeded");
  for (let n = 0; n < 20 && !ended(); n++) await drive(bench);
  assert.ok(ended(), `not ended: ${told.jobs.map((id) => phasesOf(bench, id).join(">")).join("; ")}`);
  assert.equal(new Set(bench.lane.ledger).size, bench.lane.ledger.length, "an attempt was started twice");
  submit(bench, told, null);
  await drive(bench);
  bench.restart();
  assertKept(bench.store, told);
  for (const id of told.jobs) {
    assert.equal(bench.store.jobs.find(id)?.state.phase, "succeeded");
    assert.ok(isNumbered(bench, id));
    const lines = readFileSync(join(bench.folder, "jobs", id, "1.ndjson"), "utf8")
      .trimEnd()
      .split("\n");
    const stored = bench.store.jobs.readAttemptEvents(id, 1, { after: 0, limit: 1000 });
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      stored.map((event) => ({ ...event })),
    );
  }
}

/** Not even the store could be opened: what it left can be. */
function assertOpensLater(): void {
  for (const name of readdirSync(tmpdir())) {
    const folder = join(tmpdir(), name);
    if (!folder.startsWith(prefix)) continue;
    openStore({ path: join(folder, "store.db"), nowMs: Date.now }).close();
    rmSync(folder, { recursive: true });
  }
}

/** One installation, whose `at`-th writing call fails. */
async function tryPoint(at: number, fault: DiskFault, lives: Lives): Promise<Tally & { readonly where: string }> {
  const told: Told = { jobs: [], events: new Map(), refused: 0 };
  faults.arm(prefix, at, fault);
  let bench: Bench;
  try {
    bench = open();
  } catch (caught) {
    const { failed, where } = faults.disarm();
    assert.ok(caught instanceof AppError && caught.hint, `${where}: ${String(caught)}`);
    assertOpensLater();
    return { points: failed > 0 ? 1 : 0, acknowledged: 0, refused: 1, where };
  }
  await using opened = bench;
  await workUnderFault(opened, told, lives);
  const { failed, where } = faults.disarm();
  try {
    assertKeptByTheDead(opened, told);
    const acknowledged = told.jobs.length;
    await assertGoesOn(opened, told, lives);
    return { points: failed > 0 ? 1 : 0, acknowledged, refused: told.refused, where };
  } catch (caught) {
    throw new Error(`${fault.error} at call ${at}, ${where}`, { cause: caught });
  }
}

mkdirSync(tmpdir(), { recursive: true });
const kinds = new Set<string>();
const sum = { points: 0, acknowledged: 0, refused: 0 };
const [kindCount = 1, stride = 1] = process.argv.slice(2).map(Number);
for (const [i, fault] of DISK_FAULTS.slice(0, kindCount).entries()) {
  let lives: Lives = "one";
  // Not the same points for each kind.
  for (let at = 1 + (i % stride); ; at += stride) {
    const { points, acknowledged, refused, where } = await tryPoint(at, fault, lives);
    if (points === 0 && lives === "two") break;
    // The same call again, which there is now.
    if (points === 0) at -= stride;
    if (points === 0) lives = "two";
    sum.points += points;
    sum.acknowledged += acknowledged;
    sum.refused += refused;
    // The installation's folder and the job's have random names.
    kinds.add(where.replace(/ \w{6}(\/|$)/, " ").replace(/\/[0-9a-z]{26}/, ""));
  }
}
process.stdout.write(`${JSON.stringify({ ...sum, kinds: kinds.size })}\n`);
