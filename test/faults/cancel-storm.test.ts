import { readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ApiJob, ApiLane } from "../../internal/protocol/api.ts";
import { percentile } from "../bench/measure.ts";
import { callApi } from "../support/api.ts";
import { eventually, type Installation } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { listMarked, listPids } from "../support/marked.ts";
import { wardOf } from "../support/ward.ts";
import { findViolations } from "./checker.ts";
import { agentArgv, countPhases, gatherEvidence, listEnds } from "./evidence.ts";
import { openLanesBefore } from "./open-lanes.ts";
import { chooseSeed, FULL, say, seededRandom } from "./run-terms.ts";

const TERMINAL: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled", "lost"]);

/** Puts the agent below a shell that first does what `script` says; signals it ignores stay ignored. */
const wrapped = (script: string, agent: readonly string[]) => ["sh", "-c", `${script}; exec "$@"`, "agent", ...agent];

const IGNORE = "trap '' INT TERM HUP";
const LONG = agentArgv({ lines: 1, pauseS: 900 });
const DAEMON = `setsid sh -c "${IGNORE}; while :; do sleep 1; done" < /dev/null > /dev/null 2>&1 &`;

/** What is cancelled; only `racing` ends by itself, after so many seconds. */
const AGENTS = {
  plain: () => LONG,
  noisy: () => agentArgv({ lines: 1_000_000, pauseS: 0 }),
  racing: (endsAfterS: number) => agentArgv({ lines: 1, pauseS: endsAfterS }),
  stubborn: () => wrapped(IGNORE, LONG),
  /** Its child has left session, group and parents, and ignores all but KILL. */
  daemon: () => wrapped(`(${DAEMON})`, LONG),
} as const;

/** What each lane is given in turn, one job after the other: the next one comes when this one is cancelled. */
const PLAN = [
  { agent: "plain", when: "early" },
  { agent: "daemon", when: "running" },
  // Still queued: the one before takes 20 s to end.
  { agent: "plain", when: "early" },
  { agent: "noisy", when: "running" },
  { agent: "plain", when: "running" },
  { agent: "racing", when: "at the end" },
  { agent: "stubborn", when: "running" },
  { agent: "noisy", when: "early" },
  { agent: "stubborn", when: "early" },
  { agent: "daemon", when: "early" },
] as const;
/** The short run leaves out what takes another 20 s. */
const PLANNED = FULL ? PLAN.length : 5;
const LANES = FULL ? 4 : 3;
const JOBS = FULL ? 200 : LANES * PLANNED;
const TIMEOUT_MS = FULL ? 1_800_000 : 120_000;

/** At most; half of them within 20 ms, while the job is on its way to the worker. */
const EARLY_MS = 300;
const RUNNING_MS = 3000;
/** So far around the end that comes by itself. */
const RACE_MS = 200;
/**
 * From the wish to the end, p95: a cooperative agent, and one that waits 20 s for KILL. Of a quiet machine 0.2 and 20.7 s
 * are printed; these only tell that something hangs, on a machine that has others to run.
 */
const GENTLE_MAX_MS = 20_000;
const KILL_MAX_MS = 40_000;

/** A job to be cancelled, all drawn beforehand: the seed gives it again. */
interface Order {
  readonly agent: keyof typeof AGENTS;
  readonly when: (typeof PLAN)[number]["when"];
  readonly endsAfterS: number;
  /** Counted from the answer to its submission for `early`, else from its start. */
  readonly ageMs: number;
  /** The wish is sent once more: that changes nothing. */
  readonly twice: boolean;
}

/** One cancelled job and what came of it. */
interface Cancelled {
  readonly id: string;
  readonly agent: keyof typeof AGENTS;
  /** State when the wish was answered. */
  readonly at: string;
  readonly end: string;
  readonly tookMs: number;
  /** Processes with its mark, once it was seen to have ended. */
  readonly survivors: readonly number[];
}

describe("jobs that are cancelled at any age", { timeout: TIMEOUT_MS }, () => {
  const seed = chooseSeed();
  const random = seededRandom(seed);
  const scene = openLanesBefore(Array.from({ length: LANES }, (_, n) => [`cancel-${n + 1}`]));

  const look = (id: string) => callApi<ApiJob>(scene.home, "GET", `/v1/jobs/${id}`);
  const cancel = (id: string) => callApi<ApiJob>(scene.home, "POST", `/v1/jobs/${id}/cancel`);
  const until = (id: string, states: ReadonlySet<string>) =>
    eventually(
      async () => {
        const job = await look(id);
        return states.has(job.state) ? job : null;
      },
      { what: `job ${id} to be ${[...states].join(" or ")}`, withinMs: 90_000 },
    );
  const newOrder = (n: number): Order => {
    const { agent, when } = PLAN[n % PLANNED] ?? PLAN[0];
    const endsAfterS = 0.5 + random();
    const ageMs = {
      early: random() ** 4 * EARLY_MS,
      running: random() * RUNNING_MS,
      "at the end": endsAfterS * 1000 + (random() * 2 - 1) * RACE_MS,
    }[when];
    return { agent, when, endsAfterS, ageMs, twice: random() < 0.25 };
  };
  /** Cancels one; what it gives waits for the end. */
  const cancelOne = async (lane: ApiLane, { agent, when, endsAfterS, ageMs, twice }: Order) => {
    const body = { kind: "command", argv: AGENTS[agent](endsAfterS) };
    const { id } = await callApi<ApiJob>(scene.home, "POST", `/v1/lanes/${lane.id}/jobs`, body);
    if (when !== "early") await until(id, new Set(["running", ...TERMINAL]));
    await sleep(ageMs);
    const sinceMs = performance.now();
    const at = (await cancel(id)).state;
    if (twice) await cancel(id);
    return async (): Promise<Cancelled> => {
      const { state, attempt } = await until(id, TERMINAL);
      const survivors = listMarked(id, attempt);
      return { id, agent, at, end: state, tookMs: performance.now() - sinceMs, survivors };
    };
  };
  const cancelAll = async (lane: ApiLane, orders: readonly Order[]): Promise<readonly Cancelled[]> => {
    const ends: Promise<Cancelled>[] = [];
    for (const order of orders) {
      const end = (await cancelOne(lane, order))();
      // Should it fail, that is told when all are awaited.
      end.catch(() => undefined);
      ends.push(end);
    }
    return Promise.all(ends);
  };

  it("end once each, and nothing of them survives", async () => {
    const orders = scene.lanes.map(() => Array.from({ length: JOBS / LANES }, (_, n) => newOrder(n)));
    const startedMs = performance.now();
    const all = (await Promise.all(scene.lanes.map((lane, i) => cancelAll(lane, orders[i] ?? [])))).flat();
    const seconds = Math.round((performance.now() - startedMs) / 1000);

    const ends = listEnds(scene.home);
    const survivors = all.flatMap((one) => one.survivors);
    const gentle = tookMs(all, ["plain", "noisy", "racing"]);
    const stubborn = tookMs(all, ["stubborn", "daemon"]);
    const evidence = await gatherEvidence(scene.home, { lanes: scene.lanes, acknowledged: all.map((one) => one.id) });
    say(`cancel storm, seed ${seed}, ${seconds} s: ${all.length} cancels in ${LANES} lanes,`);
    say(`  answered ${JSON.stringify(countBy(all.map((one) => one.at)))}`);
    say(`  ended ${JSON.stringify(countPhases(scene.home))}: ${ends.length} terminal events,`);
    say(`  ${survivors.length} surviving processes`);
    say(`  cancel to end, p50/p95: ${render(gentle)} ms; stubborn ${render(stubborn)} ms`);

    expect(all.length).toBe(JOBS);
    expect(survivors).toEqual([]);
    expect(ends.map(({ job, phase }) => `${job} ${phase}`).sort()).toEqual(all.map((o) => `${o.id} ${o.end}`).sort());
    expect(all.filter((one) => one.agent !== "racing" && one.end !== "cancelled")).toEqual([]);
    expect(all.filter((one) => one.end !== "succeeded" && one.end !== "cancelled")).toEqual([]);
    expect(findViolations(evidence)).toEqual([]);
    expect(percentile(gentle, 0.95)).toBeLessThanOrEqual(GENTLE_MAX_MS);
    expect(percentile(stubborn, 0.95)).toBeLessThanOrEqual(KILL_MAX_MS);
    for (const lane of scene.lanes) await expectIdle(scene.home, lane);
    await expectOnly(scene.home, scene.lanes);
  });
});

/** In the lane's container there is its init and the worker, and nothing else. */
async function expectIdle(home: Installation, lane: ApiLane): Promise<void> {
  const { main, worker } = await wardOf(home, lane).processes();
  const space = pidSpaceOf(main.pid);
  const inLane = () => listPids().filter((pid) => pidSpaceOf(pid) === space);
  // The worker's own short helpers may be about.
  await eventually(() => inLane().length === 2, { what: `only init and worker in ${lane.name}`, withinMs: 5000 });
  expect(inLane()).toEqual([main.pid, worker.pid].sort((a, b) => a - b));
}

function pidSpaceOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return null;
  }
}

/** Of those that had begun: what is still queued ends in the same moment, what waits behind it does not count. */
function tookMs(all: readonly Cancelled[], agents: readonly Cancelled["agent"][]): readonly number[] {
  return all.filter((one) => agents.includes(one.agent) && !TERMINAL.has(one.at)).map((one) => one.tookMs);
}

function render(timesMs: readonly number[]): string {
  return [0.5, 0.95].map((share) => Math.round(percentile(timesMs, share))).join("/");
}

function countBy(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
