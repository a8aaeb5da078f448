#!/usr/bin/env tsx
/**
 * `make bench`: measures the product against the plain ways, side by side in one run, and prints figures and targets.
 * A missed target is said and is no failure: only ratios of one run mean something, and machines differ.
 *
 *     ROUNDS=10   rounds of what is measured in rounds
 *     FULL=1      30 rounds, 40 lanes instead of 12, a minute of idling, 300 jobs instead of 100, 1 GB of each
 *                 agent's stream instead of 64 MB
 *     ONLY=rounds,fleet,idle,jobs,agents,git   only these parts
 */
import { mkdir, writeFile } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { fingerprintOf } from "../../internal/fingerprint/index.ts";
import { LARGE } from "../support/large-repository.ts";
import { measureAgents } from "./agents.ts";
import { readSpec } from "./bare-lane.ts";
import { type Measured, toFigures } from "./figures.ts";
import { addFleet, measureFleet } from "./fleet.ts";
import { measureGit } from "./git.ts";
import { measureIdle } from "./idle.ts";
import { measureJobs } from "./jobs.ts";
import { interleave, timed } from "./measure.ts";
import { renderReport } from "./report.ts";
import { openScene, type Scene } from "./scene.ts";
import { openVariants } from "./variants.ts";

const { ROUNDS, FULL, ONLY } = process.env;
const isFull = Boolean(FULL) && FULL !== "0";
const parts = new Set((ONLY || "rounds,fleet,idle,jobs,agents,git").split(","));
const size = isFull
  ? { rounds: 30, fleet: 40, passes: 2, idleLanes: 20, idleSeconds: 60, jobs: 300, streamBytes: 1e9 }
  : { rounds: 10, fleet: 12, passes: 2, idleLanes: 20, idleSeconds: 20, jobs: 100, streamBytes: 64e6 };
/** Of the floods of events; each takes some seconds. */
const JOB_PASSES = 3;
/** Of the agents' streams. */
const STREAM_PASSES = 3;
/** Of lanes of a large repository; commits and differences are taken thrice as often. */
const GIT_ROUNDS = 5;
const rounds = Number(ROUNDS || size.rounds);
const artifacts = join(import.meta.dirname, "..", "..", "test-artifacts");

async function main(signal: AbortSignal): Promise<void> {
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`ROUNDS=${ROUNDS} is not a number of rounds`);
  const measured = await takeAll(signal);
  // At the very end, when everything is removed: nothing stands below what was missed.
  process.stdout.write(renderReport(measured));
}

async function takeAll(signal: AbortSignal): Promise<Measured> {
  const startedAt = new Date();
  const loadBefore = load();
  say("starting a daemon of its own");
  await using scene = await openScene({ signal });
  const { version, build, engine } = scene.status;
  const machine = { cores: os.availableParallelism(), node: process.version, podman: engine.version };
  const measured = { ...(await measure(scene, signal)), load: [loadBefore, load()] as const, machine };
  const seconds = Math.round((Date.now() - startedAt.getTime()) / 1000);
  const head = { startedAt: startedAt.toISOString(), seconds, version, build, rounds };
  await mkdir(artifacts, { recursive: true });
  const file = join(artifacts, "bench.json");
  await writeFile(file, `${JSON.stringify({ ...head, figures: toFigures(measured), measured }, null, 2)}\n`);
  say(`written to ${file} after ${seconds} s; removing everything`);
  return measured;
}

async function measure(scene: Scene, signal: AbortSignal): Promise<Omit<Measured, "load" | "machine">> {
  const spec = readSpec(scene, scene.lanes.cold.id);
  const fingerprintMs: number[] = [];
  for (let n = 0; n < 100; n++) fingerprintMs.push(await timed(async () => fingerprintOf(spec)));
  let rows: Pick<Measured, "samples" | "parts"> = { samples: {}, parts: {} };
  if (parts.has("rounds")) {
    await using variants = await openVariants(scene, { signal });
    const onRound = (round: number) => say(round === 0 ? "warming up" : `round ${round} of ${rounds}`);
    const samples = await interleave(variants.all, { rounds, signal, onRound });
    rows = { samples, parts: variants.parts };
  }
  const others = Object.keys(scene.lanes).length;
  const count = Math.max(parts.has("fleet") ? size.fleet : 0, parts.has("idle") ? size.idleLanes - others : 0);
  if (count > 0) say(`adding ${count} lanes`);
  const lanes = await addFleet(scene, count, { signal });
  if (parts.has("fleet")) say(`bringing ${size.fleet} lanes up, one by one and together`);
  const fleet = parts.has("fleet")
    ? await measureFleet(scene, lanes.slice(0, size.fleet), { passes: size.passes, signal })
    : null;
  if (parts.has("idle")) say(`watching it idle for ${size.idleSeconds} s`);
  const idle = parts.has("idle")
    ? await measureIdle(scene, { lanes: size.idleLanes, seconds: size.idleSeconds, signal })
    : null;
  // Last: what passes through the daemon here would count as its memory at rest.
  const jobs = parts.has("jobs")
    ? await measureJobs(scene, { count: size.jobs, passes: JOB_PASSES, signal, onPart: say })
    : null;
  if (parts.has("agents")) say(`reading ${Math.round(size.streamBytes / 1e6)} MB of each agent's stream`);
  const agents = parts.has("agents")
    ? await measureAgents({ bytes: size.streamBytes, passes: STREAM_PASSES, signal })
    : null;
  const git = parts.has("git")
    ? await measureGit(scene, { size: LARGE, rounds: GIT_ROUNDS, signal, onPart: say })
    : null;
  return { ...rows, fleet, idle, jobs, agents, git, fingerprintMs };
}

function load(): number {
  return os.loadavg()[0] ?? 0;
}

function say(text: string): void {
  process.stderr.write(`[bench] ${text}\n`);
}

const stop = new AbortController();
// Whoever reads the output may go (`make bench | head`): everything is removed all the same.
for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    if (!stop.signal.aborted) say(`${name}: removing everything`);
    stop.abort(new Error(`ended by ${name}`));
  });
}
main(stop.signal).then(
  () => process.exit(0),
  (error: unknown) => {
    const asked = stop.signal.aborted;
    process.stderr.write(
      asked ? "[bench] ended on request\n" : `[bench] FAILED: ${error instanceof Error ? error.stack : error}\n`,
    );
    process.exit(asked ? 130 : 1);
  },
);
